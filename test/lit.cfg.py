"""lit's configuration: IR tests run acc-opt and FileCheck, both without a shell."""

import os
import shutil
import sys

import lit.formats

config.name = "acc"  # noqa: F821
config.test_format = lit.formats.ShTest(False)  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
config.test_source_root = os.path.dirname(__file__)  # noqa: F821
root = os.path.dirname(config.test_source_root)  # noqa: F821
lib = os.path.join(root, "python", "acc", "_lib")
config.test_exec_root = os.path.join(root, "build", "test")  # noqa: F821
config.environment["PATH"] = os.pathsep.join([lib, "/usr/lib/llvm-22/bin", os.environ["PATH"]])  # noqa: F821
config.substitutions.append(("%acc_lib", lib))  # noqa: F821
config.substitutions.append(("%python", sys.executable))  # noqa: F821
config.environment["PYTHONPATH"] = os.path.join(root, "python")  # noqa: F821
if not shutil.which("FileCheck", path=config.environment["PATH"]):  # noqa: F821
    lit_config.fatal("FileCheck is missing: install llvm-22-tools")  # noqa: F821
