"""Stages of a compilation in Model Explorer (https://github.com/google-ai-edge/model-explorer).

    model-explorer --extensions=acc.model_explorer stages/02-kernels/11-te-merge-operands.mlir
    acc view stages/02-kernels/11-te-merge-operands.mlir --model model.so      # the same, with cycles

graphs   what is shown of a module; knows nothing of Model Explorer
overlay  cycles or time of layers, on nodes
main     the extension, which Model Explorer imports by this name
"""
