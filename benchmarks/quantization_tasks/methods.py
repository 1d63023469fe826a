"""What quantizes a model: acc, and its peers with the settings that their documentation recommends.

    python methods.py METHOD WEIGHTS model.onnx calibration.npz output.onnx

WEIGHTS is int8 or int4. Runs in the environment of the method (`METHODS`) and imports its packages alone. The last
line printed is JSON: the seconds it took; how far the resident memory of the process and of those that it started rose
above that of Python with numpy, onnx and the samples, the packages of the method included (`megabytes`); and how much
of that is no file that is mapped, such as code (`own_megabytes`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx

Feeds = list[dict[str, np.ndarray]]
Quantize = Callable[[pathlib.Path, Feeds, pathlib.Path], None]


@dataclasses.dataclass(frozen=True)
class Method:
    """How a method is asked to quantize.

    prepare: imports what it needs and returns what quantizes with these weights, per channel or, if what becomes of
    that does not run, per tensor. environment: where it runs.
    """

    prepare: Callable[[str, bool], Quantize]
    environment: str
    weights: tuple[str, ...] = ("int8", "int4")


def _reader(feeds: Feeds) -> Any:
    """The samples as ONNX Runtime's quantizer and its relatives read them."""

    class Reader:
        def __init__(self) -> None:
            self.rewind()

        def rewind(self) -> None:
            self._left: Iterator[dict[str, np.ndarray]] = iter(feeds)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

        def __len__(self) -> int:
            return len(feeds)

        # Ranges are found batch by batch where a reader can be restricted to one.
        def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
            return iter(feeds)

    return Reader()


def _acc(weights: str, per_channel: bool) -> Quantize:
    import acc

    def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
        acc.quantize(model, feeds, weights=weights, per_channel=per_channel).save(output)

    return quantize


def _onnx_runtime(ranges: str, operators: tuple[str, ...] = ()) -> Callable[[str, bool], Quantize]:
    """quantize_static behind quant_pre_process, as its documentation has it: QDQ, int8, weights per channel.

    operators: the only ones that are quantized.
    """

    def prepare(weights: str, per_channel: bool) -> Quantize:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
            with tempfile.TemporaryDirectory() as folder:
                ready = pathlib.Path(folder, "ready.onnx")
                quant_pre_process(model, ready)
                if weights == "int4":
                    # Elements of four bits are known since opset 21.
                    onnx.save(onnx.version_converter.convert_version(onnx.load(ready), 21), ready)
                quantize_static(
                    ready,
                    output,
                    _reader(feeds),
                    quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=list(operators) or None,
                    activation_type=QuantType.QInt8,
                    weight_type=QuantType.QInt4 if weights == "int4" else QuantType.QInt8,
                    per_channel=per_channel,
                    calibrate_method=CalibrationMethod[ranges],
                )

        return quantize

    return prepare


def _onnx_runtime_nbits(weights: str, per_channel: bool) -> Quantize:
    """Weights of products alone, in blocks, by ONNX Runtime's round-to-nearest quantizer; activations stay float."""
    from onnxruntime.quantization import QuantFormat
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
        settings = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, quant_format=QuantFormat.QDQ)
        quantizer = MatMulNBitsQuantizer(
            onnx.version_converter.convert_version(onnx.load(model), 21), algo_config=settings
        )
        quantizer.process()
        onnx.save(quantizer.model.model, output)

    return quantize


def _neural_compressor(weights: str, per_channel: bool) -> Quantize:
    """Intel's: static quantization, QDQ, weights per channel.

    Without its SmoothQuant: with ONNX Runtime 1.32, the networks for digits are little better than chance after it.
    """
    from onnx_neural_compressor.quantization import config, quantize
    from onnxruntime.quantization import QuantFormat, QuantType

    def run(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
        settings = config.StaticQuantConfig(
            calibration_data_reader=_reader(feeds),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            calibration_sampling_size=len(feeds),
        )
        quantize(str(model), str(output), settings)

    return run


def _quark(adaround: bool) -> Callable[[str, bool], Quantize]:
    """AMD's: int8 with float scales, cross-layer equalization; adaround: rounding of weights is trained, too."""

    def prepare(weights: str, per_channel: bool) -> Quantize:
        from quark.onnx import (
            AdaRoundConfig,
            CLEConfig,
            Int8Spec,
            ModelQuantizer,
            QConfig,
            QLayerConfig,
            QuantGranularity,
        )

        def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
            algorithms: list[Any] = [CLEConfig()]
            if adaround:
                algorithms.append(AdaRoundConfig(num_iterations=1000, data_size=len(feeds)))
            weight = Int8Spec(quant_granularity=QuantGranularity.Channel if per_channel else QuantGranularity.Tensor)
            settings = QConfig(QLayerConfig(activation=Int8Spec(), weight=weight), algo_config=algorithms)
            ModelQuantizer(settings).quantize_model(str(model), str(output), _reader(feeds))

        return quantize

    return prepare


def _aimet(weights: str, per_channel: bool) -> Quantize:
    """Qualcomm's: batch norms folded, ranges by signal-to-noise ratio ("tf_enhanced"), weights per channel."""
    import aimet_onnx
    from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
    from aimet_onnx.common.defs import QuantScheme
    from aimet_onnx.quantsim import QuantizationSimModel

    folder = pathlib.Path(aimet_onnx.__file__).parent / "common" / "quantsim_config"

    def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
        source = onnx.load(model)
        if source.opset_import[0].version < 13:
            source = onnx.version_converter.convert_version(source, 13)
        fold_all_batch_norms_to_weight(source)
        simulation = QuantizationSimModel(
            source,
            param_type=weights,
            activation_type="int8",
            quant_scheme=QuantScheme.post_training_tf_enhanced,
            config_file=str(folder / f"default_config{'_per_channel' if per_channel else ''}.json"),
            providers=["CPUExecutionProvider"],
        )
        simulation.compute_encodings(feeds)
        onnx.save(simulation.to_onnx_qdq(prequantize_constants=True), output)

    return quantize


def _nncf(weights: str, per_channel: bool) -> Quantize:
    """OpenVINO's: as its documentation has it, with the preset for transformers where there are LayerNormalizations."""
    import nncf

    def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
        source = onnx.load(model)
        # It quantizes models of operator sets from 13 on.
        if source.opset_import[0].version < 13:
            source = onnx.version_converter.convert_version(source, 13)
        transformer = any(node.op_type == "LayerNormalization" for node in source.graph.node)
        onnx.save(
            nncf.quantize(
                source,
                nncf.Dataset(feeds),
                model_type=nncf.ModelType.TRANSFORMER if transformer else None,
                subset_size=len(feeds),
            ),
            output,
        )

    return quantize


def _nncf_weights(weights: str, per_channel: bool) -> Quantize:
    """OpenVINO's, weights of products alone in blocks of four bits with zero points; activations stay float."""
    import nncf

    def quantize(model: pathlib.Path, feeds: Feeds, output: pathlib.Path) -> None:
        source = onnx.version_converter.convert_version(onnx.load(model), 21)
        settings = {"mode": nncf.CompressWeightsMode.INT4_ASYM, "group_size": 32, "all_layers": True}
        onnx.save(nncf.compress_weights(source, dataset=nncf.Dataset(feeds), **settings), output)

    return quantize


METHODS = {
    "acc": Method(_acc, "tasks"),
    "ort-minmax": Method(_onnx_runtime("MinMax"), "tasks"),
    "ort-entropy": Method(_onnx_runtime("Entropy"), "tasks"),
    "ort-percentile": Method(_onnx_runtime("Percentile"), "tasks"),
    "ort-minmax-products": Method(_onnx_runtime("MinMax", ("Conv", "MatMul", "Gemm")), "tasks"),
    "ort-nbits": Method(_onnx_runtime_nbits, "tasks", ("int4",)),
    "inc": Method(_neural_compressor, "inc", ("int8",)),
    "nncf": Method(_nncf, "nncf", ("int8",)),
    "nncf-weights": Method(_nncf_weights, "nncf", ("int4",)),
    "quark-cle": Method(_quark(False), "torch", ("int8",)),
    "quark-adaround": Method(_quark(True), "torch", ("int8",)),
    "aimet": Method(_aimet, "torch"),
}


# Adds up, every few milliseconds until its input ends, what a process and its descendants have, in kilobytes: resident,
# and what of that is in no file. Pages that several of them have count once. It knows no packages, so that it is small,
# and it is not counted.
_WATCHER = """
import os, select, sys
def family(pid):
    found = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            for child in file.read().split():
                found += family(int(child)) if int(child) != os.getpid() else []
    except OSError:
        pass
    return found
def read(pid, file, *names):
    try:
        with open(f"/proc/{pid}/{file}") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        return [int(fields.get(name, "0").split()[0]) for name in names]
    except OSError:
        return [0 for name in names]
most = [0, 0]
while not select.select([sys.stdin], [], [], 0.004)[0]:
    processes = family(int(sys.argv[1]))
    how = ("status", "RssFile", "RssAnon", "RssShmem")
    if len(processes) > 1:
        how = ("smaps_rollup", "Pss_File", "Pss_Anon", "Pss_Shmem")
    files, own, shared = map(sum, zip(*(read(pid, *how) for pid in processes)))
    most = [max(pair) for pair in zip(most, (files + own + shared, own + shared))]
print(*most)
"""


class Memory:
    """The most that this process and its descendants have while the block runs, in megabytes above what it had before.

    Attributes: resident, and own, which is resident and in no file.
    """

    def __enter__(self) -> Memory:
        self._before = self._now("VmRSS"), self._now("RssAnon")
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCHER, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        resident, own = map(int, self._watcher.communicate()[0].split())
        # Of this process alone, the system knows the peak between two looks, too.
        resident = max(resident, self._now("VmHWM"))
        self.resident, self.own = (
            (most - before) / 1024 for most, before in zip((resident, own), self._before, strict=True)
        )

    @staticmethod
    def _now(name: str) -> int:
        return int(re.findall(rf"{name}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[0])


def _check(model: pathlib.Path, feeds: Feeds) -> None:
    """Raises what ONNX Runtime does if the model does not run."""
    import onnxruntime

    onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).run(None, feeds[0])


def main() -> None:
    name, weights, *paths = sys.argv[1:]
    model, data, output = map(pathlib.Path, paths)
    with np.load(data) as arrays:
        samples = {key: arrays[key] for key in arrays.files}
    count = len(next(iter(samples.values())))
    feeds = [{key: array[index : index + 1] for key, array in samples.items()} for index in range(count)]
    for per_channel in (True, False):
        try:
            with Memory() as memory:
                quantize = METHODS[name].prepare(weights, per_channel)
                started = time.perf_counter()
                quantize(model, feeds, output)
                seconds = time.perf_counter() - started
            row = {"seconds": seconds, "megabytes": memory.resident, "own_megabytes": memory.own}
            _check(output, feeds)
        except Exception:
            if not per_channel:
                raise
            traceback.print_exc()
            continue
        note = {} if per_channel else {"note": "weights per tensor: what becomes of it per channel does not run"}
        print("\n" + json.dumps(row | note))
        return


if __name__ == "__main__":
    main()
