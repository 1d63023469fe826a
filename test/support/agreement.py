"""How near to ONNX Runtime layers must be."""

import math

from acc.layerwise import Agreement


def assert_near(agreement: Agreement, text: str, always_allowed: int = 1) -> None:
    """Every element within one step, and 98 of 100 equal as far as so few elements can tell, three standard deviations
    of such a count; of small tensors, all but `always_allowed`. text: what is compared, for the message.
    """
    assert agreement.largest <= 1, f"{text}: {agreement}"
    expected = 0.02 * agreement.elements
    allowed = max(int(expected + 3 * math.sqrt(expected)), always_allowed)
    assert round((1 - agreement.equal) * agreement.elements) <= allowed, f"{text}: {agreement}"
