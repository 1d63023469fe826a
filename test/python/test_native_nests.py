"""Random loop nests over strided, broadcast, transposed and reduced operands, of known and unknown sizes."""

from __future__ import annotations

import numpy as np
import pytest

from native_te import compile_te

DTYPES = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i8": np.int8}


class Nest:
    """out[kept] = sum over the other loops of a[..] * b[..]: which loops index which operand is drawn."""

    def __init__(self, seed: int) -> None:
        r = self.rng = np.random.default_rng(seed)
        self.rank = int(r.integers(1, 5))
        self.kind = str(r.choice(list(DTYPES)))
        self.letters = "ijkl"[: self.rank]
        self.maps: list[str] = []
        for _ in range(2):
            used = [c for c in self.letters if r.random() < 0.75]
            self.maps.append("".join(r.permutation(used)) if used else "")
        missing = [c for c in self.letters if c not in "".join(self.maps)]
        self.maps[0] += "".join(missing)
        kept = [c for c in self.letters if r.random() < 0.7]
        # Results may be transposed, and walked along by any loop.
        self.result = "".join(r.permutation(kept)) if kept and r.random() < 0.3 else "".join(kept)
        # The order of the loops is no order of the result.
        self.order = "".join(r.permutation(list(self.letters)))

    def sizes(self) -> dict[str, int]:
        choices = [0, 1, 1, 2, 3, 5, 8, 15, 16, 17, 33]
        weights = np.array([1, 6, 6, 10, 10, 10, 10, 10, 10, 10, 10], float)
        return {c: int(self.rng.choice(choices, p=weights / weights.sum())) for c in self.letters}

    def module(self, sizes: dict[str, int | str]) -> str:
        kind = self.kind

        def tensor(map_: str) -> str:
            return f"tensor<{''.join(f'{sizes[c]}x' for c in map_)}{kind}>"

        a, b, out = (tensor(m) for m in (*self.maps, self.result))
        loops = ", ".join(self.order)
        maps = ", ".join(f"affine_map<({loops}) -> ({', '.join(m)})>" for m in (*self.maps, self.result))
        kinds = ", ".join('"parallel"' if c in self.result else '"reduction"' for c in self.order)
        suffix = "f" if kind[0] == "f" else "i"
        zero = "0.0" if suffix == "f" else "0"
        dims, names = [], []
        for c in self.result:
            if sizes[c] == "?":
                value, map_, type_ = ("%a", self.maps[0], a) if c in self.maps[0] else ("%b", self.maps[1], b)
                dims.append(f"%x{c} = arith.constant {map_.index(c)} : index")
                dims.append(f"%d{c} = tensor.dim {value}, %x{c} : {type_}")
                names.append(f"%d{c}")
        return f"""
te.kernel @k(%a: {a}, %b: {b}, %out: {out}) -> {out} attributes {{target = #te.host}} {{
  %zero = arith.constant {zero} : {kind}
  %f = linalg.fill ins(%zero : {kind}) outs(%out : {out}) -> {out}
  %0 = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}
      ins(%a, %b : {a}, {b}) outs(%f : {out}) {{
  ^bb0(%x: {kind}, %y: {kind}, %o: {kind}):
    %p = arith.mul{suffix} %x, %y : {kind}
    %s = arith.add{suffix} %p, %o : {kind}
    linalg.yield %s : {kind}
  }} -> {out}
  te.return %0 : {out}
}}
func.func @main(%a: {a} {{graph.name = "a"}}, %b: {b} {{graph.name = "b"}}) -> ({out} {{graph.name = "y"}}) {{
  {chr(10).join(dims)}
  %e = tensor.empty({", ".join(names)}) : {out}
  %y = te.launch @k ins(%a, %b : {a}, {b}) outs(%e : {out}) -> {out}
  return %y : {out}
}}"""

    def feeds(self, sizes: dict[str, int]) -> dict[str, np.ndarray]:
        def values(map_: str) -> np.ndarray:
            return (self.rng.normal(size=[sizes[c] for c in map_]) * 3).astype(DTYPES[self.kind])

        return {"a": values(self.maps[0]), "b": values(self.maps[1])}

    def expected(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        wide = [array.astype(np.float64) for array in feeds.values()]
        result = np.einsum(f"{self.maps[0]},{self.maps[1]}->{self.result}", *wide)
        return result.astype(np.int64).astype(DTYPES[self.kind]) if self.kind[0] == "i" else result


def check(seed: int) -> None:
    nest = Nest(seed)
    unknown = compile_te(nest.module(dict.fromkeys(nest.letters, "?")))
    some = {c: s if nest.rng.random() < 0.5 else "?" for c, s in nest.sizes().items()}
    partly = compile_te(nest.module(some))
    for turn in range(4):
        sizes = nest.sizes()
        feeds = nest.feeds(sizes)
        known = compile_te(nest.module(dict(sizes)))
        runs = [(unknown, feeds), (known, feeds)]
        if turn == 0:
            fixed = {c: s if isinstance(s, int) else sizes[c] for c, s in some.items()}
            runs.append((partly, nest.feeds(fixed)))
        for model, arrays in runs:
            got = model.run(arrays)["y"]
            np.testing.assert_allclose(
                got.astype(np.float64), nest.expected(arrays).astype(np.float64), rtol=1e-3, atol=1e-3
            )


@pytest.mark.parametrize("seed", range(12))
def test_random_nests(seed: int) -> None:
    check(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 300))
def test_random_nests_long(seed: int) -> None:
    check(seed)
