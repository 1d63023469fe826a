"""What quantization does to every layer of a model, and what would help: what is behind `acc quantize --report`."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path

from acc.comparison.tensors import next_tensors
from acc.files import replacing
from acc.quantization.advice import loudest, sentence_for, summarize
from acc.quantization.data import Data
from acc.quantization.layer_reports import OutputReport, Report
from acc.quantization.measures import describe_layer, measure, weight_scales
from acc.quantization.options import QuantizeError
from acc.quantization.quantizer import LayerFacts, Quantized

__all__ = ["check_report", "make_report", "write_report"]

MAX_SAMPLES = 16


def make_report(result: Quantized, data: Data, *, limit: int = MAX_SAMPLES) -> Report:
    """Runs the float and the quantized model on at most `limit` samples of `data`, and says what became of each layer.

    data: as for `acc.quantize`; samples that were not used to calibrate tell more. Raises what reading samples and
    running the models do.
    """
    noises, ends, count = measure(result, data, limit)
    ratios = {name: noise.sqnr for name, noise in noises.items()}
    names = {layer.output: layer.name for layer in result.layers}
    after = next_tensors(result.source.proto, set(names))
    before: dict[str, list[str]] = {}
    for name, results in after.items():
        for other in results:
            before.setdefault(other, []).append(name)
    lasting = dict(ratios)
    for name, results in after.items():
        behind = [ratios[other] for other in results if other in ratios]
        if name in ratios and behind:
            lasting[name] = max(ratios[name], min(behind))

    def sources(layer: LayerFacts) -> list[str]:
        """The tensors before it: outputs of layers, or else what it reads."""
        found = before.get(layer.output) or list(layer.inputs)
        return [name for name in found if name in lasting]

    scales = weight_scales(result.model)
    layers = tuple(
        describe_layer(
            layer,
            result.tensors,
            noises.get(layer.output),
            min((lasting[name] for name in sources(layer)), default=math.inf),
            lasting.get(layer.output),
            scales.get(layer.name),
        )
        for layer in result.layers
    )
    told = {layer.name for layer in loudest(layers)[: max(3, len(layers) // 10)]}
    layers = tuple(
        dataclasses.replace(
            layer,
            sentence=sentence_for(
                layer,
                result,
                [names[name] for name in after.get(layer.output, ())],
                layer.name in told,
            ),
        )
        for layer in layers
    )
    outputs = tuple(OutputReport(name, noise.sqnr, noise.cosine) for name, noise in ends.items())
    return Report(
        layers=layers,
        outputs=outputs,
        left_in_float=result.left_in_float,
        calibrated=result.samples,
        measured=count,
        notes=result.notes,
        options=result.options.to_dict(),
        summary=summarize(layers, outputs, result, count),
    )


def write_report(report: Report, path: str | os.PathLike[str], title: str) -> None:
    """Writes a report as what the name of the file asks for: .html, .json or .txt. title: what was quantized.

    Raises QuantizeError for another name, or for what cannot be written.
    """
    check_report(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".html":
        from acc.quantization.page import to_html

        text = to_html(report, title)
    else:
        text = json.dumps(report.to_dict(), indent=1) + "\n" if suffix == ".json" else report.to_text()
    with replacing(path, QuantizeError) as file:
        file.write(text.encode())


def check_report(path: str | os.PathLike[str]) -> None:
    """Raises QuantizeError unless the name of the file says what kind of report it is."""
    if Path(path).suffix.lower() not in (".html", ".json", ".txt"):
        raise QuantizeError(f"a report is an .html, .json or .txt file, not '{os.fspath(path)}'")
