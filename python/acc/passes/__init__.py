"""Passes as functions, by family: `te.tile()`, `host.plan_memory(alignment=64)`, `upstream.canonicalize()`.

Each returns a `Pass`, which is the text that pass managers take: `manager.add(te.tile())`, of `acc.passmanager` and of
`acc.mlir` alike. Options are checked when the function is called: TypeError for a misspelt one and for a value of
another type. The modules are generated from the definitions of the passes. Nothing here loads MLIR.
"""

from acc.passes._pass import Pass as Pass
