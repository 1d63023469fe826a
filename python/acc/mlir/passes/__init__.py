"""acc's passes as functions, by family: `passes.te.tile()`, `passes.host.plan_memory(alignment=64)`.

Each returns a `Pass`, which is the text that pass managers take: `manager.add(te.tile())`, of `acc.mlir` and of
`acc.passmanager` alike. Options are checked when the function is called. Nothing here loads MLIR.
"""

from ._pass import Pass as Pass
