"""Prints the graph that a network of torch_forms becomes, for lit tests: print_graph.py NAME [dynamic]."""

import sys

from acc.pipeline import Options, Pipeline
from torch_forms import MODELS

module = Pipeline(Options()).import_graph(MODELS[sys.argv[1]]("dynamic" in sys.argv[2:])).module
print(module.operation.get_asm(large_elements_limit=4, large_resource_limit=4))
