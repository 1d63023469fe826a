"""A compiled model made by hand: C for the host code, assembly for the accelerator.

y = x * scale + bias + counter      on the CPU, float32 (4, 8); bias is stored, scale a splat
q = relu(a) + 3                     on the accelerator, int32 (2, 16) -> int8, if asked for
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import numpy as np

from acc.container import ModelContents, Program, Splat, TensorInfo

ROOT = Path(__file__).resolve().parents[2]

SOURCE = """
#include "acc/runtime.h"
#include <math.h>

int32_t acc_model_main(const acc_host_api *api, void *ctx, void *const *inputs, void *const *outputs,
                       void *const *constants, void *workspace) {
  const float *x = inputs[0], *bias = constants[0], *scale = constants[1];
  float *y = outputs[0], *scratch = workspace;
  api->layer(ctx, 0);
  for (int i = 0; i < 32; ++i)
    scratch[i] = x[i] * scale[i];
  for (int i = 0; i < 32; ++i)
    y[i] = fmaf(1.0f, scratch[i], bias[i]);
#ifdef FAIL
  return 42;
#endif
#ifdef LAUNCH
  api->layer(ctx, 1);
  void *buffers[] = {inputs[1], outputs[1]};
  return api->launch(ctx, PROGRAM, buffers, COUNT);
#endif
  return 0;
}
"""

PROGRAM = """
.buffer "a" 128
.buffer "q" 32
.buffer "uops" 4
.uop_buffer 2
.uop dst=0 src=0 wgt=0
.layer "Relu_1"
load.uop sram=0 dram=@2+0 y=1 x=1 stride=1
load.acc sram=0 dram=@0+0 y=1 x=2 stride=2
alu.max uop=0:1 iter=1,2 dst=0,1 src=0,1 imm=0 use_imm=1
.layer "Add_2"
alu.add uop=0:1 iter=1,2 dst=0,1 src=0,1 imm=3 use_imm=1 push=next
store.out sram=0 dram=@1+0 y=1 x=2 stride=2 pop=prev push=prev
finish pop=next
"""

BIAS = np.arange(32, dtype=np.float32).reshape(4, 8)
# Inputs of the model.
X = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
A = np.arange(-16, 16, dtype=np.int32).reshape(2, 16)


def build(source: str, *defines: str) -> bytes:
    """The shared object of a model's C code."""
    command = ["clang-22", "-O1", "-fPIC", "-shared", "-fuse-ld=lld", "-x", "c", "-", "-o", "/dev/stdout", "-lm"]
    command += [f"-I{ROOT}/runtime/include", *(f"-D{define}" for define in defines)]
    return subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout


@cache
def image(*defines: str) -> bytes:
    """The shared object of the model above."""
    return build(SOURCE, *defines)


def assembled(text: str) -> Program:
    """Assembly text as models carry it."""
    from acc._lib import _runtime

    return Program("vta", _runtime.write_program(_runtime.Program.parse(text)))


def contents(*defines: str, **changes: object) -> ModelContents:
    """What `write_model` takes; with LAUNCH also the accelerator's part."""
    x = TensorInfo("x", "float32", (4, 8))
    y = TensorInfo("y", "float32", (4, 8))
    inputs, outputs, programs = [x], [y], []
    layers = [{"layers": ["Mul_0"], "kernel": "scale", "target": "cpu", "reason": "float32", "macs": 32}]
    if "LAUNCH" in defines:
        defines = (*(d for d in defines), *(() if any(d.startswith("PROGRAM") for d in defines) else ("PROGRAM=0",)))
        defines = (*defines, *(() if any(d.startswith("COUNT") for d in defines) else ("COUNT=2",)))
        inputs.append(TensorInfo("a", "int32", (2, 16)))
        outputs.append(TensorInfo("q", "int8", (2, 16)))
        programs.append(assembled(PROGRAM))
        layers.append({"layers": ["Relu_1", "Add_2"], "kernel": "relu", "target": "vta", "instructions": 6})
    fields: dict = {
        "image": image(*defines),
        "inputs": inputs,
        "outputs": outputs,
        "constants": [BIAS, Splat(np.float32(2.0), 32)],
        "programs": programs,
        "workspace_bytes": 128,
        "alignment": 256,
        "metadata": {"target": "vta" if programs else "cpu", "layers": layers, "note": "été"},
    }
    return ModelContents(**{**fields, **changes})
