"""Bundles: a folder with a model and the hardware for it, everything that was made of both, and a list of it all.

`bundle` makes one (`bundler`), `verify` checks one (`manifest`); `point` reads designs that an exploration found.
"""

from acc.bundling.bundler import bundle
from acc.bundling.manifest import Bundle, BundleError, verify

__all__ = ["Bundle", "BundleError", "bundle", "verify"]
