"""The demo: real input through the whole path.

Handwritten digits, then ResNet-18 at 224x224: float ONNX -> QDQ by ONNX Runtime's quantizer -> acc for the VTA
accelerator -> the functional simulator, with ONNX Runtime beside it.
"""

from __future__ import annotations

import pathlib
import sys
import time

import numpy as np
import onnx
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "benchmarks"))

import acc  # noqa: E402
from acc.report import format_layers, format_table  # noqa: E402
from digits_data import load_split  # noqa: E402
from networks import load, quantize  # noqa: E402


def onnx_runtime(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def digits() -> None:
    print("== Handwritten digits (scikit-learn's load_digits, 8x8 scans) ==\n")
    model = onnx.load(HERE / "digits.onnx")
    training_images, _ = load_split("train")
    images, labels = load_split("test")
    quantized = quantize(model, training_images[:256])

    started = time.perf_counter()
    exe = acc.compile(quantized, target="vta")
    compiled = time.perf_counter() - started

    started = time.perf_counter()
    ours = np.concatenate([exe.run({"input": image[None]})["output"] for image in images])
    simulated = time.perf_counter() - started

    sessions = {"ONNX Runtime float32": onnx_runtime(model), "ONNX Runtime int8": onnx_runtime(quantized)}
    results = {
        name: np.concatenate([np.asarray(session.run(None, {"input": image[None]})[0]) for image in images])
        for name, session in sessions.items()
    }
    results["acc, VTA functional simulator"] = ours
    rows = [
        [
            name,
            f"{(scores.argmax(1) == labels).mean():.2%}",
            f"{(scores.argmax(1) == ours.argmax(1)).sum()} of {len(labels)}",
        ]
        for name, scores in results.items()
    ]
    print(format_table(rows, ["held-out test set", "accuracy", "same digit as acc"]))
    print(
        f"\nCompiled in {compiled:.2f} s; {len(images)} images simulated in {simulated:.2f} s "
        f"({simulated / len(images) * 1e3:.2f} ms each).\n"
    )
    print(format_layers(exe.report()))


def resnet18() -> None:
    print("\n== ResNet-18, 224x224, QDQ int8 (real topology, seeded weights) ==\n")
    quantized, image = load("resnet18")

    started = time.perf_counter()
    exe = acc.compile(quantized, target="vta")
    compiled = time.perf_counter() - started

    started = time.perf_counter()
    ours = exe.run(image)["output"]
    simulated = time.perf_counter() - started

    session = onnx_runtime(quantized)
    theirs = np.asarray(session.run(None, image)[0])
    step = np.unique(np.abs(np.diff(np.unique(theirs)))).min()
    print(format_layers(exe.report()))
    print(
        f"\nCompiled in {compiled:.2f} s; one image simulated in {simulated:.2f} s. Class scores against ONNX Runtime "
        f"int8: same top-1 {bool(ours.argmax() == theirs.argmax())}, correlation "
        f"{np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]:.4f}, largest difference "
        f"{np.abs(ours - theirs).max() / step:.0f} quantization steps after 21 layers."
    )


if __name__ == "__main__":
    digits()
    resnet18()
