"""Post-training quantization with ONNX Runtime's own quantizer."""

from __future__ import annotations

import logging
import pathlib
import tempfile

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

# The quantizer advises on the root logger to pre-process models; these here are already folded.
logging.getLogger().addFilter(lambda record: "pre-processing before quantization" not in record.getMessage())


class _Samples(CalibrationDataReader):
    def __init__(self, samples: np.ndarray) -> None:
        self._feeds = iter([{"input": sample[None]} for sample in samples])

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        return next(self._feeds, None)


def quantize(
    model: onnx.ModelProto,
    samples: np.ndarray,
    *,
    per_channel: bool = False,
    unsigned: bool = False,
    operators: bool = False,
) -> onnx.ModelProto:
    """The model with int8 weights, calibrated (min-max) on samples float32 (n, ...), each an input without its batch.

    per_channel: weights have a scale for each output channel. unsigned: activations are uint8 instead of int8.
    operators: quantized operators (QOperator) instead of QuantizeLinear and DequantizeLinear around float ones (QDQ).
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "float.onnx"), pathlib.Path(folder, "quantized.onnx")
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Samples(samples),
            quant_format=QuantFormat.QOperator if operators else QuantFormat.QDQ,
            activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
        )
        return onnx.load(target)
