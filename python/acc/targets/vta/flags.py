"""The flags of the command line for target "vta"."""

from __future__ import annotations

from acc.targets import Flag

FLAGS = (
    Flag(
        "vta_dialect",
        "acc|public",
        "with --target vta, what its programs may use: everything (acc, the default), or what the public Chisel "
        "and HLS designs agree on (public)",
    ),
)
