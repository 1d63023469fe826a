"""Compares two ways of running a model, layer by layer and as a whole, and cuts out the layer where they part.

A side is a model and what runs it. Two sides of one model are compared layer by layer, each layer on the inputs that it
had on the first side, so that an error is where it arises. Sides of different models, such as a float one and what was
quantized from it, are compared by the tensors that both have.
"""

from acc.comparison.compare import compare
from acc.comparison.extract import extract
from acc.comparison.results import Comparison, Criteria, Row
from acc.comparison.sides import CompareError, Side, parse_side

__all__ = ["CompareError", "Comparison", "Criteria", "Row", "Side", "compare", "extract", "parse_side"]
