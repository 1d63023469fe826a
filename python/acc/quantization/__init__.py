"""Post-training quantization: from a float model and samples to a standard QDQ model."""

from acc.quantization.options import QuantizeError, QuantizeOptions
from acc.quantization.quantizer import LayerFacts, Quantized, TensorFacts, quantize

__all__ = ["LayerFacts", "QuantizeError", "QuantizeOptions", "Quantized", "TensorFacts", "quantize"]
