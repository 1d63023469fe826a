"""A toy accelerator for acc, made of one instruction that matters: the dot product of two vectors of eight int8.

`target` says which operators it takes and what it is, `layout` brings these operators into its layout, `program` writes
its programs as text, and `device` is the interpreter that runs them.
"""
