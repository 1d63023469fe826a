"""What quantizes a model: acc, and its peers with the settings that their documentation recommends.

    python methods.py METHOD WEIGHTS model.onnx calibration.npz output.onnx

WEIGHTS is int8 or int4. Runs in the environment of the method (`METHODS`) and imports its packages alone. The last
line printed is JSON: the seconds it took, and how far the memory of the process rose above what it had been with the
packages and the samples loaded.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
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


def _peak_kilobytes() -> int:
    return int(re.findall(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[0])


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
        quantize = METHODS[name].prepare(weights, per_channel)
        # The high-water mark starts anew: importing packages is not part of it.
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        before = _peak_kilobytes()
        started = time.perf_counter()
        try:
            quantize(model, feeds, output)
            row = {"seconds": time.perf_counter() - started, "megabytes": (_peak_kilobytes() - before) / 1024}
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
