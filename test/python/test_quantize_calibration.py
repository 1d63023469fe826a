"""What calibration sees, the ranges that are made of it, and where samples come from."""

from __future__ import annotations

import pathlib
import signal
import sys
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import acc
from acc.container import TensorInfo
from acc.quantization import Quantized, QuantizeError, QuantizeOptions
from acc.quantization.calibration import Statistics, Watch
from acc.quantization.data import open_samples
from acc.quantization.options import RANGES
from acc.quantization.ranges import clipped_share, find_range, make_grid, quantize_array
from float_networks import FloatNetwork, convolutional, images, transformer


def seen(*arrays: np.ndarray, axis: int | None = None, importance: np.ndarray | None = None) -> Statistics:
    statistics = Statistics()
    for array in arrays:
        statistics.add(array.astype(np.float32), Watch(axis, importance))
    return statistics


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_statistics_are_those_of_all_elements(axis: int | None) -> None:
    rng = np.random.default_rng(axis or 5)
    arrays = [rng.normal(0, 10.0**k, (3, 4, 5)) for k in (-3, 2, 0)]
    whole = np.stack(arrays).astype(np.float32)
    statistics = seen(*arrays, axis=axis)
    assert (statistics.low, statistics.high) == (whole.min(), whole.max())
    others = None if axis is None else tuple(a for a in range(4) if a != axis + 1)
    np.testing.assert_allclose(statistics.means, np.atleast_1d(whole.mean(others)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        statistics.mean_squares, np.atleast_1d((whole.astype(float) ** 2).mean(others)), rtol=1e-5
    )
    assert statistics.bins.sum() == whole.size
    edges = (np.arange(len(statistics.bins) + 1) - len(statistics.bins) // 2) * statistics.width
    expected = np.histogram(whole, edges)[0]
    assert np.array_equal(statistics.bins, expected)


def test_statistics_do_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(0, 4.0**k, 1000) for k in range(-6, 6)]
    forward, backward = seen(*arrays), seen(*reversed(arrays))
    assert forward.exponent == backward.exponent
    assert np.array_equal(forward.bins, backward.bins)


def test_large_tensors_are_sampled_evenly() -> None:
    channels = np.arange(64, dtype=np.float32)
    array = np.broadcast_to(channels, (1, 5000, 64))
    bins = seen(array).bins
    counts = bins[bins > 0]
    assert len(counts) >= 60 and counts.max() < 1.2 * counts[1:].min()


def test_importance_weighs_channels() -> None:
    array = np.stack([np.full(100, 1.0), np.full(100, 2.0)])
    statistics = seen(array, axis=0, importance=np.array([3.0, 0.0]))
    assert statistics.bins.sum() == 300
    assert (statistics.low, statistics.high) == (1, 2)


@pytest.mark.parametrize("method", RANGES)
@pytest.mark.parametrize("kind", ["normal", "one-sided", "outliers", "constant", "zero", "tiny", "huge", "one"])
def test_ranges(method: str, kind: str) -> None:
    """Every method's range lies in what was seen, and is no worse than it should be."""
    rng = np.random.default_rng(3)
    normal = rng.normal(0, 1, 20_000)
    values = {
        "normal": normal,
        "one-sided": np.maximum(normal, 0),
        "outliers": np.where(rng.random(normal.size) < 1e-3, normal * 100, normal),
        "constant": np.full(10, 3.5),
        "zero": np.zeros(10),
        "tiny": normal * 1e-30,
        "huge": normal * 1e30,
        "one": np.array([-2.0]),
    }[kind].astype(np.float32)
    statistics = seen(values)
    low, high = find_range(statistics, method)
    assert statistics.low <= max(low, statistics.low) and high <= max(statistics.high, 0)
    grid = make_grid(low, high, "int8")
    assert grid.scale > 0 and np.isfinite(np.float32(grid.scale)) and -128 <= grid.zero_point <= 127
    real = (quantize_array(values, grid).astype(np.float32) - grid.zero_point) * np.float32(grid.scale)
    error = ((real - values).astype(float) ** 2).mean() / max(float((values.astype(float) ** 2).mean()), 1e-300)
    if method in ("auto", "mse"):
        whole = make_grid(statistics.low, statistics.high, "int8")
        other = (quantize_array(values, whole).astype(np.float32) - whole.zero_point) * np.float32(whole.scale)
        assert (
            error
            <= ((other - values).astype(float) ** 2).mean() / max((values.astype(float) ** 2).mean(), 1e-300) * 1.05
        )
    if kind != "tiny":
        assert error < (0.5 if kind == "outliers" else 0.01)


def test_the_range_is_chosen_for_what_is_made_of_it() -> None:
    """What a sigmoid reads may be cut off far from zero."""
    statistics = seen(np.random.default_rng(0).normal(0, 20, 50_000))
    plain = find_range(statistics, "auto")
    made = find_range(statistics, "auto", function=lambda x: 1 / (1 + np.exp(-x)))
    assert made[1] - made[0] < 0.5 * (plain[1] - plain[0])


def test_more_is_cut_off_where_only_products_read() -> None:
    """A row of a matrix product has no neighbours that are cut off with it, as pixels have."""
    rng = np.random.default_rng(8)
    values = rng.standard_normal((1, 20_000, 10)).astype(np.float32)
    values[rng.random(values.shape) < 1e-4] *= 8
    low, high = find_range(seen(values), "auto")
    nearer, farther = find_range(seen(values), "auto", apart=True)
    assert farther - nearer < 0.95 * (high - low)

    def grid_of_input(*, also_a_convolution: bool) -> float:
        net = FloatNetwork((1, 20_000, 10))
        y = net.add("Relu", [net.linear("x", 10, 8)])
        if also_a_convolution:
            weight = net.constant(rng.standard_normal((8, 20_000, 1)).astype(np.float32))
            y = net.add("Concat", [net.add("Relu", [net.add("Conv", ["x", weight])]), net.linear(y, 8, 10)], axis=1)
        result = acc.quantize(net.build(net.add("Relu", [y])), [{"x": values}], smooth=False)
        return result.tensors["x"].scale

    assert grid_of_input(also_a_convolution=False) < 0.95 * grid_of_input(also_a_convolution=True)


def test_symmetric_grids_have_zero_in_the_middle() -> None:
    assert make_grid(-1, 3, "int8", symmetric=True).zero_point == 0
    assert make_grid(-1, 3, "uint8", symmetric=True).zero_point == 128
    assert make_grid(0, 3, "int8").zero_point == -128
    assert make_grid(1, 3, "uint8").zero_point == 0
    assert make_grid(-3, -1, "int8").zero_point == 127


def test_clipped_share() -> None:
    statistics = seen(np.linspace(-1, 1, 10_001))
    assert clipped_share(statistics, -0.5, 0.5) == pytest.approx(0.5, abs=0.01)
    assert clipped_share(statistics, -1, 1) == 0


INPUTS = (TensorInfo("x", "float32", ("n", 4)), TensorInfo("y", "int64", ("n",)))
ONE = (TensorInfo("x", "float32", (2, 4)),)


def test_sources_of_samples(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = images(6, (4,)), np.arange(6)
    expected = [{"x": x[i : i + 1], "y": y[i : i + 1]} for i in range(6)]

    def check(data: object, inputs=INPUTS, wanted=expected) -> None:
        samples = open_samples(data, inputs)  # type: ignore[arg-type]
        for _ in range(2):
            found = list(samples)
            assert len(found) == len(wanted)
            for one, other in zip(found, wanted, strict=True):
                assert one.keys() == other.keys()
                assert all(
                    np.array_equal(one[name], other[name]) and one[name].shape == other[name].shape for name in one
                )

    check({"x": x, "y": y})
    check({"x": x[:, None], "y": y[:, None].astype(np.int32)})
    np.savez(tmp_path / "data.npz", x=x, y=y)
    check(tmp_path / "data.npz")
    folder = tmp_path / "folder"
    folder.mkdir()
    for i in range(6):
        np.savez(folder / f"{i}.npz", x=x[i], y=y[i : i + 1])
    check(str(folder))
    check([{"x": x[i], "y": y[i]} for i in range(6)])
    check({"x": one, "y": two} for one, two in zip(x, y, strict=True))
    check(lambda: iter(expected))
    (tmp_path / "samples_of_test.py").write_text(
        "import numpy as np\ndef make():\n    return dict(np.load('data.npz'))\n"
    )
    monkeypatch.chdir(tmp_path)
    check("samples_of_test:make")
    assert str(tmp_path) not in sys.path
    pairs = [{"x": x[i : i + 2]} for i in (0, 2, 4)]
    check(x, ONE, pairs)
    np.save(tmp_path / "one.npy", x)
    check(tmp_path / "one.npy", ONE, pairs)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": np.zeros((3, 4), np.float32)}, "no array for input 'y'"),
        ({"x": np.zeros((3, 4), np.float32), "z": np.zeros(3)}, "no array for input 'y' but an array 'z'"),
        ({"x": np.zeros((3, 4), np.float32), "y": np.zeros(2, np.int64)}, "3 samples of 'x' but 2 of 'y'"),
        ({"x": np.zeros((0, 4), np.float32), "y": np.zeros(0, np.int64)}, "no samples"),
        ({"x": np.zeros((3, 5), np.float32), "y": np.zeros(3, np.int64)}, "shape [1, 5], but the input has [n, 4]"),
        ({"x": np.zeros((3, 4, 4, 4), np.float32), "y": np.zeros(3, np.int64)}, "samples of input 'x'"),
        ({"x": np.zeros((3, 4), np.float32), "y": np.zeros(3)}, "elements of float64, but the input has int64"),
        ({"x": np.full((3, 4), np.nan, np.float32), "y": np.zeros(3, np.int64)}, "holds NaN"),
        ({"x": np.full((3, 4), np.inf, np.float32), "y": np.zeros(3, np.int64)}, "an infinite number"),
        ([], "no samples"),
        ([3], "arrays without names"),
        (7, "samples are an .npz file"),
        ("missing.npz", "cannot read 'missing.npz'"),
        ("no_such_module:f", "there is no module 'no_such_module'"),
        ("acc:nothing", "module 'acc' has no function 'nothing'"),
        (lambda: 1 / 0, "raises ZeroDivisionError"),
        (lambda needed: needed, "needs an argument 'needed'"),
    ],
)
def test_data_that_do_not_fit(data: object, message: str) -> None:
    with pytest.raises(QuantizeError) as error:
        if not list(open_samples(data, INPUTS)):  # type: ignore[arg-type]
            raise QuantizeError("no samples")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "choices",
    [
        {"weights": "int2"},
        {"activations": "float8"},
        {"ranges": "best"},
        {"percentile": 20},
        {"round_weights": "up"},
        {"block": -1},
        {"max_samples": 0},
        {"exclude": "Conv"},
        {"symmetric": "yes"},
        {"equalize": 1},
        {"unknown": True},
    ],
)
def test_choices_that_mean_nothing(choices: dict[str, object]) -> None:
    with pytest.raises(QuantizeError, match=next(iter(choices))):
        acc.quantize(small(), images(2, (1, 4)), **choices)  # type: ignore[arg-type]


def small(seed: int = 0) -> onnx.ModelProto:
    net = FloatNetwork((1, 4), seed)
    return net.build(net.linear(net.add("Relu", [net.linear("x", 4, 6)]), 6, 3))


def test_options_are_an_object_or_by_name() -> None:
    with pytest.raises(QuantizeError, match="not both"):
        acc.quantize(small(), images(2, (1, 4)), QuantizeOptions(), ranges="mse")


def stop_at(count: int):
    def progress(stage: str, done: int, _: int | None) -> None:
        if stage == "calibrating" and done == count:
            raise KeyboardInterrupt

    return progress


def test_calibration_goes_on_where_it_was_interrupted(tmp_path: pathlib.Path) -> None:
    model, data, state = small(), images(40, (4,)), tmp_path / "state"
    whole = acc.quantize(model, data, equalize=False, smooth=False)
    for count in (5, 17):
        with pytest.raises(KeyboardInterrupt):
            acc.quantize(model, data, equalize=False, smooth=False, state=state, progress=stop_at(count))
        assert state.exists()
    calls: list[int] = []
    result = acc.quantize(
        model, data, equalize=False, smooth=False, state=state, progress=lambda _, done, total: calls.append(done)
    )
    assert calls == list(range(18, 41))
    assert result.model.SerializeToString() == whole.model.SerializeToString()
    assert not state.exists() and list(tmp_path.iterdir()) == []


def test_states_of_other_calibrations_are_refused(tmp_path: pathlib.Path) -> None:
    model, data, state = small(), images(20, (4,)), tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        acc.quantize(model, data, state=state, progress=stop_at(9))
    with pytest.raises(QuantizeError, match="another model or with other options"):
        acc.quantize(model, data, state=state, ranges="mse")
    with pytest.raises(QuantizeError, match="another model or with other options"):
        acc.quantize(small(1), data, state=state)
    with pytest.raises(QuantizeError, match="with other data"):
        acc.quantize(model, images(20, (4,), seed=5), state=state)
    with pytest.raises(QuantizeError, match="with more samples"):
        acc.quantize(model, data[:4], state=state)
    state.write_bytes(b"PK nonsense")
    with pytest.raises(QuantizeError, match="is no state of a calibration"):
        acc.quantize(model, data, state=state)


def endless() -> Iterator[dict[str, np.ndarray]]:
    while True:
        yield {"x": np.ones((1, 4), np.float32)}


def test_no_more_samples_are_used_than_asked_for() -> None:
    assert acc.quantize(small(), endless(), max_samples=3).samples == 3


def test_samples_that_fail() -> None:
    def failing() -> Iterator[dict[str, np.ndarray]]:
        yield {"x": np.ones((1, 4), np.float32)}
        raise OSError("the camera is gone")

    with pytest.raises(QuantizeError, match="at sample 1: OSError: the camera is gone"):
        acc.quantize(small(), failing)


def test_tensors_that_are_not_finite() -> None:
    net = FloatNetwork((1, 4))
    model = net.build(net.linear(net.add("Log", [net.linear("x", 4, 4)]), 4, 4))
    with pytest.raises(QuantizeError, match=r"node 'log2' \(Log\) computes NaN for sample \d"):
        acc.quantize(model, images(2, (4,)))


def test_models_that_cannot_be_quantized() -> None:
    quantized = acc.quantize(small(), images(4, (4,))).model
    with pytest.raises(QuantizeError, match="is quantized already"):
        acc.quantize(quantized, images(4, (4,)))
    net = FloatNetwork((1, 4))
    with pytest.raises(QuantizeError, match=r"nothing in the model can be quantized: softmax0 \(Softmax\)"):
        acc.quantize(net.build(net.add("Softmax", ["x"])), images(4, (4,)))
    with pytest.raises(QuantizeError, match="no node and no operator of that name"):
        acc.quantize(small(), images(4, (4,)), exclude=["conv7"])


def test_half_precision_is_left_alone() -> None:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float16), "w")
    half = onnx.TensorProto.FLOAT16
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "g",
        [helper.make_tensor_value_info("x", half, (1, 4))],
        [helper.make_tensor_value_info("y", half, (1, 4))],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(QuantizeError, match="it does not compute in float32"):
        acc.quantize(model, images(2, (4,)).astype(np.float16))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 8))])
@pytest.mark.parametrize("how", ["int8", "int4", "search"])
def test_all_of_the_work_goes_on_where_it_was_interrupted(tmp_path: pathlib.Path, how: str, seed: int) -> None:
    """Ctrl-C anywhere, again and again: what comes out in the end has the same bytes as without."""
    model = {"int8": transformer, "int4": convolutional, "search": small}[how]()
    data = images(10, {"int8": (12, 32), "int4": (3, 16, 16), "search": (4,)}[how])
    state = tmp_path / "state"
    choices: dict[str, object] = {"weights": "int4"} if how == "int4" else {}
    if how == "search":
        choices = {"accuracy": "sqnr >= 37 dB", "sensitivity": True}
    rng = np.random.default_rng(seed)
    lines, stop_at_line = 0, 0

    def trace(frame: object, event: str, _: object) -> object:
        """Raises KeyboardInterrupt in a line of the work."""
        nonlocal lines
        if "acc/quantization" not in frame.f_code.co_filename:  # type: ignore[attr-defined]
            return None
        lines += 1
        if lines == stop_at_line:
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return trace

    def run(**more: object) -> Quantized:
        nonlocal lines
        lines = 0
        try:
            sys.settrace(trace)
            return acc.quantize(model, data, **choices, **more)  # type: ignore[arg-type]
        finally:
            sys.settrace(None)

    whole = run()
    total = lines
    for _ in range(4):
        stop_at_line = int(rng.integers(1, total))
        try:
            result = run(state=state)
        except KeyboardInterrupt:
            continue
        # What is done need not be done again: there were fewer lines than before.
        break
    else:
        stop_at_line = 0
        result = run(state=state)
    assert result.model.SerializeToString() == whole.model.SerializeToString()
    if whole.search:
        assert result.search and result.search.to_dict() == whole.search.to_dict()
    assert not state.exists() and list(tmp_path.iterdir()) == []
