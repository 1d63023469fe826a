"""The language server, started as the documentation tells editors to, through a session on the graph of a model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
URI = "file:///graph.mlir"


def server() -> Path:
    """The program that the settings in docs/editor.md name; the extension looks for it below the opened folder."""
    settings = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "editor.md").read_text(), re.DOTALL)
    assert settings is not None
    return ROOT / json.loads(settings[1])["mlir.server_path"]


def session(text: str, *requests: tuple[str, dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Opens `text`, asks the requests about it, and leaves: the diagnostics, and the answers in turn."""
    document = {"uri": URI, "languageId": "mlir", "version": 1, "text": text}
    messages: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": {"capabilities": {}, "trace": "off"}},
        {"method": "textDocument/didOpen", "params": {"textDocument": document}},
        *(
            {"id": number, "method": f"textDocument/{method}", "params": {"textDocument": {"uri": URI}, **parameters}}
            for number, (method, parameters) in enumerate(requests, 1)
        ),
        {"id": -1, "method": "shutdown", "params": None},
        {"method": "exit", "params": None},
    ]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
    request = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
    result = subprocess.run([server()], input=request, capture_output=True, timeout=60, check=True)
    answers = [json.loads(part) for part in re.split(rb"Content-Length: \d+\r\n\r\n", result.stdout) if part]
    diagnostics = [
        diagnostic
        for answer in answers
        if answer.get("method") == "textDocument/publishDiagnostics"
        for diagnostic in answer["params"]["diagnostics"]
    ]
    by_id = {answer["id"]: answer.get("result") for answer in answers if "id" in answer}
    return diagnostics, [by_id[number] for number in range(1, len(requests) + 1)]


@pytest.fixture(scope="module")
def graph() -> str:
    command = [sys.executable, "-m", "acc", "import", ROOT / "demo" / "digits.onnx"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def at(text: str, pattern: str) -> dict[str, Any]:
    """The position of the first group of the first match."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    before = text[: found.start(1)]
    return {"position": {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}}


def test_a_graph_is_shown_and_walked_through(graph: str) -> None:
    relu = re.search(r"(%\d+) = graph\.relu (%\d+)", graph)
    assert relu is not None
    diagnostics, (hover, definition, references) = session(
        graph,
        ("hover", at(graph, r"(graph\.relu)")),
        ("definition", at(graph, r"graph\.relu (%)")),
        ("references", {**at(graph, r"(%\d+) = graph\.relu"), "context": {"includeDeclaration": False}}),
    )
    assert diagnostics == []
    assert f'{relu[1]} = "graph.relu"({relu[2]})' in hover["contents"]["value"]
    computed = at(graph, rf"({relu[2]}) = ")["position"]
    assert [place["range"]["start"] for place in definition] == [computed]
    assert len(references) == len(re.findall(rf"{relu[1]}\b", graph)), "the definition and what reads it"


def test_what_is_wrong_is_underlined(graph: str) -> None:
    diagnostics, _ = session(graph.replace("strides = array<i64: 1, 1>", "strides = array<i64: 1>", 1))
    place = at(graph, r"(%\d+ = graph\.conv)")["position"]
    assert {d["range"]["start"]["line"] for d in diagnostics} == {place["line"]}
    assert any("strides" in d["message"] for d in diagnostics)


def test_text_that_is_not_ir_is_an_error_where_it_stands(graph: str) -> None:
    lines = graph.splitlines()
    diagnostics, _ = session("\n".join([*lines[:3], "    misspelt", *lines[3:]]))
    assert [d["range"]["start"]["line"] for d in diagnostics][:1] == [3]
