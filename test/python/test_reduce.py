"""`acc reduce`: what is left of a model still fails, and nothing can be left out of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from acc.cli import main
from acc.inspect.reduction import reduce
from qdq_models import random_network
from test_session import affine

CHECK = """
import onnx, sys, time
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model)
kinds = [node.op_type for node in model.graph.node]
if "Sleep" in sys.argv:
    time.sleep(30)
if "MaxPool" in kinds:
    print("the pool fails")
    sys.exit(3)
sys.exit(4 if len(kinds) < 3 else 0)
"""


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("seed", range(6))
def test_pairs_of_nodes_are_found(seed: int) -> None:
    """A failure takes two nodes that are drawn; these are left, whatever lies between them."""
    model = random_network(seed)
    rng = np.random.default_rng(seed)
    a, b = (model.graph.node[int(at)].name for at in rng.choice(len(model.graph.node), 2, replace=False))

    def fails(candidate: onnx.ModelProto) -> bool:
        onnx.checker.check_model(candidate)
        return {a, b} <= {node.name for node in candidate.graph.node}

    reduced = reduce(model, fails)
    assert {node.name for node in reduced.model.graph.node} == {a, b}
    assert reduced.checks < 40 * len(model.graph.node)
    assert all(not np.any(onnx.numpy_helper.to_array(tensor)) for tensor in reduced.model.graph.initializer)


def test_what_bodies_of_control_flow_read_is_kept() -> None:
    body = [
        helper.make_graph(
            [helper.make_node(kind, ["x", "y"], ["z"])], kind, [], [helper.make_empty_tensor_value_info("z")]
        )
        for kind in ("Add", "Sub")
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["a"], ["x"]),
            helper.make_node("Neg", ["a"], ["y"]),
            helper.make_node("If", ["c"], ["r"], then_branch=body[0], else_branch=body[1]),
            helper.make_node("Abs", ["r"], ["s"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("s", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    reduced = reduce(model, lambda candidate: "If" in kinds(candidate)).model
    onnx.checker.check_model(reduced)
    assert kinds(reduced) == ["If"] and {info.name for info in reduced.graph.input} == {"c", "x", "y"}


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(random_network(0), "m.onnx")
    onnx.save(affine(3)[0], "good.onnx")
    Path("check.py").write_text(CHECK)
    check = f"{sys.executable} check.py"
    assert main(["reduce", "m.onnx", "--check", f"{check} {{}}", "--match", "pool fails", "-o", "s.onnx"]) == 0
    said = capsys.readouterr().out
    assert kinds(onnx.load("s.onnx")) == ["MaxPool"] and "1 of " in said and "exit code 3" in said
    before = sorted(Path().iterdir())
    for arguments, message in [
        (["none.onnx", "--check", check], "none.onnx"),
        (["check.py", "--check", check], "not an ONNX model"),
        (["m.onnx", "--check", "true"], "does not fail"),
        (["m.onnx", "--check", "no-such-command"], "cannot be run"),
        (["m.onnx", "--check", check, "--match", "something else"], "does not print"),
        (["m.onnx", "--check", check, "--timeout", "0"], "not a number of seconds"),
    ]:
        assert main(["reduce", *arguments, "-o", "t.onnx"]) == 2, arguments
        assert message in capsys.readouterr().err
    assert main(["reduce", "m.onnx", "--check", check, "-o", "none/t.onnx"]) == 2
    assert sorted(Path().iterdir()) == before
    # What takes too long fails too.
    assert main(["reduce", "good.onnx", "--check", "sleep 5 #", "--timeout", "0.2", "-o", "t.onnx"]) == 0
    assert "in time" in capsys.readouterr().out
