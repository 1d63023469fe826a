"""PyTorch's models under acc: whole ones and graphs of torch.compile, and what neither can do."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import acc.torch  # noqa: E402
from acc.errors import CompileError, ModelError, ModelWarning, RunError  # noqa: E402


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 7, 3, padding=1), torch.nn.BatchNorm2d(7)
        self.linear = torch.nn.Linear(7, 5)

    def forward(self, x: Any) -> Any:
        return self.linear(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


@pytest.fixture(autouse=True)
def seeded() -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        yield
    torch._dynamo.reset()


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def silent(run: Any) -> Any:
    """What `run` returns, and that PyTorch has run nothing of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        return run()


def test_a_convolutional_network() -> None:
    model, x = Net().eval(), torch.randn(2, 3, 8, 8)
    compiled = acc.torch.compile(model, (x,))
    close(compiled(x), model(x))
    close(compiled(x.to(memory_format=torch.channels_last)), model(x))
    again = acc.torch.compile(model, (x,))
    assert again.executable is compiled.executable
    opened = acc.torch.compile(model, (x,), dynamic={"x": {0: "batch"}})
    for batch in (1, 5):
        wide = torch.randn(batch, 3, 8, 8)
        close(opened(wide), model(wide))
    assert opened.executable.inputs[0].shape == ("batch", 3, 8, 8)
    with pytest.raises(RunError, match="shape"):
        compiled(torch.randn(3, 3, 8, 8))
    with pytest.raises(RunError, match="put together"):
        compiled(x, x)


def test_a_recurrent_network_and_results_that_are_put_together() -> None:
    model, x = torch.nn.LSTM(4, 6, batch_first=True).eval(), torch.randn(2, 7, 4)
    results, (hidden, cell) = acc.torch.compile(model, (x,))(x)
    expected, (expected_hidden, expected_cell) = model(x)
    close((results, hidden, cell), (expected, expected_hidden, expected_cell))


def test_a_transformer_of_open_length() -> None:
    model = torch.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval()
    compiled = acc.torch.compile(model, (torch.randn(2, 7, 16),), dynamic={"src": {1: "sequence"}})
    for length in (3, 11):
        x = torch.randn(2, length, 16)
        close(compiled(x), model(x))


def test_nothing_is_copied() -> None:
    class Copy(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x + 1

    x = torch.randn(64, 64)
    array = acc.torch.to_array(x)
    assert array.ctypes.data == x.data_ptr()
    y = acc.torch.compile(Copy(), (x,))(x)
    close(y, x + 1)
    made = np.zeros((3, 4), np.float32)
    assert acc.torch.to_tensor(made).data_ptr() == made.ctypes.data
    b = torch.randn(4, 4).to(torch.bfloat16)
    assert torch.equal(acc.torch.to_tensor(acc.torch.to_array(b)), b)


def test_graphs_of_torch_compile() -> None:
    model, x = Net().eval(), torch.randn(2, 3, 8, 8)
    fast = torch.compile(model, backend="acc")
    close(silent(lambda: fast(x)), model(x))
    model.linear.bias.add_(1.0)
    close(silent(lambda: fast(x)), model(x))
    wide = torch.randn(5, 3, 8, 8)
    close(silent(lambda: fast(wide)), model(wide))


def test_a_graph_break() -> None:
    def broken(x: Any) -> Any:
        y = torch.relu(x) * 2
        torch._dynamo.graph_break()
        return y.sum(1) - y.mean(1)

    x = torch.randn(3, 7)
    close(silent(lambda: torch.compile(broken, backend="acc")(x)), broken(x))


def test_what_pytorch_runs_itself() -> None:
    model, x = Net().eval(), torch.randn(2, 3, 8, 8)
    with torch.enable_grad(), pytest.warns(ModelWarning, match="gradients are asked for"):
        y = torch.compile(model, backend="acc")(x)
    assert y.requires_grad
    torch._dynamo.reset()

    def eigenvalues(x: Any) -> Any:
        return torch.linalg.eigvalsh(x @ x.transpose(-1, -2))

    with pytest.warns(ModelWarning, match="PyTorch runs a graph, and not acc"):
        y = torch.compile(eigenvalues, backend="acc")(x)
    close(y, eigenvalues(x))


def test_bad_input() -> None:
    model, x = Net(), torch.randn(2, 3, 8, 8)
    for wrong, error, said in [
        (lambda: acc.torch.compile(model.train(), (x,)), ModelError, "eval"),
        (lambda: acc.torch.compile(model.eval(), (x[0, 0],)), ModelError, "PyTorch cannot export"),
        (lambda: acc.torch.compile(torch.relu, (x,)), ModelError, "not builtin"),
        (lambda: acc.torch.compile(model.eval(), (x,), target="moon"), CompileError, "moon"),
        (lambda: acc.torch.compile(model.eval(), (x,), nonsense=1), CompileError, "nonsense"),
        (lambda: acc.torch.to_array(torch.empty(2, device="meta")), RunError, "meta"),
    ]:
        with pytest.raises(error, match=said):
            wrong()


def test_the_name_is_registered() -> None:
    from torch._dynamo import list_backends

    assert "acc" in list_backends(exclude_tags=None)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["torch_dynamo_backends"] == {"acc": "acc.torch:backend"}
