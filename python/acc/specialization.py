"""Models that are compiled at once if that is possible, and otherwise for the inputs of a run.

Where an operator must know an input (axes, a permutation) or the sizes of one, a model is compiled when a run brings
these, and again when they change; the inputs concerned are the ones that `acc.compile` asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from acc.errors import NeedsShape, NeedsValue, RunError
from acc.executable import Executable

__all__ = ["MAX_SPECIALIZATIONS", "Specialized"]

MAX_SPECIALIZATIONS = 16
"""How many compilations for different values or sizes are kept, the oldest going first."""


class Specialized:
    """A model with what was compiled of it so far.

    Attributes:
        executable: the compiled model, None if it depends on values or sizes of inputs.
        requirements: what compiling has asked for so far, values or sizes of inputs, in order.
    """

    def __init__(
        self,
        compile: Callable[[dict[str, Any], dict[str, tuple[int, ...]]], Executable],
        inputs: Sequence[str],
        values: Mapping[str, Any] | None = None,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        keep: int = MAX_SPECIALIZATIONS,
    ) -> None:
        """Compiles if that takes no inputs; raises AccError if the model is refused whatever its inputs are.

        compile: is given values and shapes of inputs, as `acc.compile` takes them. inputs: the names of all. values,
        shapes: those that are the same in every run. keep: how many compilations for inputs of runs are kept.
        """
        self.inputs = tuple(inputs)
        self.executable: Executable | None = None
        self.requirements: list[NeedsValue | NeedsShape] = []
        self._make = compile
        self._fixed = dict(values or {})
        self._given_shapes = dict(shapes or {})
        self._values: set[str] = set(self._fixed)
        self._shapes: set[str] = set()
        self._keep = keep
        self._made: dict[object, Executable] = {}
        try:
            self.executable = self._compile({})
        except (NeedsValue, NeedsShape) as error:
            self._require(error)

    @property
    def fed(self) -> tuple[str, ...]:
        """The inputs that a run is given."""
        return tuple(name for name in self.inputs if name not in self._fixed)

    @property
    def compiled_in(self) -> tuple[str, ...]:
        """The inputs whose values a run brings and that are compiled in."""
        return tuple(name for name in self.fed if name in self._values)

    def run(
        self, feeds: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """As `Executable.run`, whose errors it raises; if the model depends on its inputs, what `acc.compile` raises
        too.
        """
        executable = self.executable or self._find(feeds)
        compiled = set(self.inputs) - {info.name for info in executable.inputs}
        return executable.run({name: array for name, array in feeds.items() if name not in compiled}, outputs)

    def _compile(self, feeds: Mapping[str, np.ndarray]) -> Executable:
        values = {name: feeds[name] for name in self._values if name not in self._fixed}
        shapes = {name: np.shape(feeds[name]) for name in self._shapes - self._values}
        return self._make(self._fixed | values, self._given_shapes | shapes)

    def _require(self, error: NeedsValue | NeedsShape) -> None:
        """Notes what the error asks for; raises it if that was given, or is nothing that a run can give."""
        values = set(error.inputs if isinstance(error, NeedsValue) else error.values) - self._values
        shapes = set() if isinstance(error, NeedsValue) else set(error.inputs) - self._shapes
        if not values | shapes or not values | shapes <= set(self.inputs):
            raise error
        self._values |= values
        self._shapes |= shapes
        self.requirements.append(error)
        self._made.clear()

    def _find(self, feeds: Mapping[str, np.ndarray]) -> Executable:
        """The executable for the values and sizes of `feeds`; every turn of the loop learns of further ones."""
        while True:
            for name in self._values | self._shapes:
                if name not in feeds and name not in self._fixed:
                    raise RunError(f"input '{name}' is missing")
            arrays = {name: np.asarray(feeds[name]) for name in self._values | self._shapes if name in feeds}
            key = (
                *((name, arrays[name].shape, arrays[name].tobytes()) for name in sorted(self._values & arrays.keys())),
                *((name, arrays[name].shape) for name in sorted(self._shapes)),
            )
            if key in self._made:
                return self._made[key]
            try:
                executable = self._compile(arrays)
            except (NeedsValue, NeedsShape) as error:
                self._require(error)
                continue
            while len(self._made) >= self._keep:
                del self._made[next(iter(self._made))]
            self._made[key] = executable
            return executable
