"""Configurations and circuits of the accelerator as a space that can be searched (acc.exploration)."""

from acc.targets.vta.designs.designs import VtaDesigns

__all__ = ["VtaDesigns"]
