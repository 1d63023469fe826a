"""From what was measured of the layers of a quantized model to the sentences that a person needs."""

from __future__ import annotations

from collections.abc import Sequence

from acc.quantization.layer_reports import LayerReport, OutputReport, ratio
from acc.quantization.quantizer import Quantized
from acc.wording import listing

__all__ = ["loudest", "sentence_for", "summarize"]

SPREAD = 8.0
"""From how many times the median on a channel's numbers are said to be large."""
CLIPPED = 0.005
"""From which part of the numbers on beyond the range that is said."""
OUTLIER = 12.0
"""From how many root mean squares on a weight is said to be large."""
DENSE = 0.1
"""Below which part of the range that holds nearly all numbers the rest of it is said to be wasted."""
QUIET = 40.0
"""Layers with less noise of their own than this, in dB, need no advice."""


def loudest(layers: Sequence[LayerReport]) -> list[LayerReport]:
    """Layers by the noise that they add and that lasts, most of it first."""
    return sorted((layer for layer in layers if layer.own is not None), key=lambda layer: layer.own or 0.0)


def sentence_for(layer: LayerReport, result: Quantized, readers: Sequence[str], loud: bool) -> str:
    """What is amiss with a layer, the gravest first, and what would help.

    readers: the layers behind it. loud: whether it is one of those that add most noise.
    """
    options = result.options
    if layer.seen[0] == layer.seen[1]:
        return f"{layer.name}: its output was {layer.seen[0]:g} for every sample; more varied samples would help"
    if layer.weight_spread is not None and layer.weight_spread >= SPREAD and not options.per_channel:
        return (
            f"{layer.name}: weights of channel {layer.weight_widest} are {layer.weight_spread:.0f} times as large as "
            "those of others, which share their scale; weights per channel (without --per-tensor) would help"
        )
    # Noise of small channels hardly shows in the whole tensor, whose signal is that of the large one.
    starved = layer.worst_sqnr is not None and layer.worst_sqnr < QUIET - 10
    if layer.spread is not None and layer.spread >= SPREAD and starved and layer.dense > DENSE:
        equalize = f"equalisation with {listing(readers, 2)}" if readers and not options.equalize else ""
        exclude = f"leaving {readers[0]} in float (--exclude)" if readers else ""
        helps = " or ".join(filter(None, [equalize, exclude]))
        return (
            f"{layer.name}: channel {layer.widest} has {layer.spread:.0f} times the range of the others, which share "
            f"its scale{f'; {helps} would help' if helps else ''}"
        )
    if layer.own is None or layer.own > QUIET:
        return ""
    wild = layer.outlier is not None and layer.outlier >= OUTLIER
    by_weights = layer.weight_sqnr is not None and layer.weight_sqnr < layer.own + 1.5
    if by_weights and (wild or loud):
        what = f"weights of {layer.weight_bits} bits cause most of its noise ({layer.weight_sqnr:.1f} dB)"
        if wild:
            what += f", and one of channel {layer.outlier_channel} is {layer.outlier:.0f} times their root mean square"
        helps = "--round-weights gptq" if options.rounding != "gptq" else f"--exclude {layer.name}"
        if layer.weight_bits is not None and layer.weight_bits < 8:
            helps = f"8 bits for this layer, a smaller --block, or {helps}"
        return f"{layer.name}: {what}; {helps} would help"
    # What a function behind it makes nothing of may well be cut off.
    harms = layer.lasting is None or layer.sqnr is None or layer.lasting < layer.sqnr + 3
    if layer.clipped >= CLIPPED and harms:
        return (
            f"{layer.name}: {100 * layer.clipped:.1f} % of its numbers are cut off at [{layer.range[0]:.3g}, "
            f"{layer.range[1]:.3g}], they reach [{layer.seen[0]:.3g}, {layer.seen[1]:.3g}]; --ranges minmax keeps them"
        )
    if layer.dense <= DENSE:
        exclude = f"--exclude {readers[0] if readers else layer.name}"
        return (
            f"{layer.name}: 99.9 % of its numbers are within {100 * layer.dense:.0f} % of the range, the rest takes "
            f"the integers from them; --ranges mse or percentile, or {exclude}, would help"
        )
    if layer.used <= 0.5 and options.symmetric:
        return f"{layer.name}: its numbers are of one sign and use half of the range; without --symmetric, all of it"
    if layer.used <= 0.5:
        return (
            f"{layer.name}: its numbers use {100 * layer.used:.0f} % of the range, which it shares with other tensors "
            "of an Add or Concat, or which other samples made wide"
        )
    if loud:
        return (
            f"{layer.name}: among the layers that add most noise ({layer.own:.1f} dB), for no reason that its ranges "
            "or weights show; in float (--exclude) it adds none"
        )
    return ""


def summarize(
    layers: Sequence[LayerReport], outputs: Sequence[OutputReport], result: Quantized, count: int
) -> tuple[str, ...]:
    sentences = []
    for output in outputs:
        if output.sqnr is not None and output.cosine is not None:
            sentences.append(
                f"Output {output.name}: signal-to-noise ratio {ratio(output.sqnr)} dB, cosine {output.cosine:.5f}, on "
                f"{count} sample{'s' * (count != 1)}."
            )
    loud = loudest(layers)
    if loud:
        named = listing([f"{layer.name} ({ratio(layer.own)} dB)" for layer in loud[:3]])
        sentences.append(f"Most noise comes from {named}.")
    kept = len(result.left_in_float)
    sentences.append(
        f"{len(layers)} layers are integer arithmetic, {kept} node{'s' * (kept != 1)} stay{'s' * (kept == 1)} in float."
    )
    return tuple(sentences)
