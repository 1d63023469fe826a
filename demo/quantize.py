"""Post-training quantization to QDQ form with ONNX Runtime's own quantizer."""

from __future__ import annotations

import logging
import pathlib
import tempfile

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

# The quantizer advises on the root logger to pre-process models; these here are already folded.
logging.getLogger().addFilter(lambda record: "pre-processing before quantization" not in record.getMessage())


class _Images(CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self._feeds = iter([{"input": image[None]} for image in images])

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        return next(self._feeds, None)


def quantize_qdq(model: onnx.ModelProto, images: np.ndarray, per_channel: bool = False) -> onnx.ModelProto:
    """The int8 QDQ model, calibrated (min-max) on images float32 (n, C, H, W)."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "float.onnx"), pathlib.Path(folder, "qdq.onnx")
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
        )
        return onnx.load(target)
