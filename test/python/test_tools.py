"""The command-line tools start and answer."""

from __future__ import annotations

import json
import pathlib
import subprocess

LIB = pathlib.Path(__file__).resolve().parents[2] / "python" / "acc" / "_lib"


def _message(content: dict) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **content}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def test_language_server_reports_what_is_wrong() -> None:
    text = (
        "func.func @f(%x: tensor<4xf32>) -> tensor<3xf32> {\n  %y = graph.relu %x : (tensor<4xf32>) -> tensor<3xf32>\n}"
    )
    document = {"uri": "file:///f.mlir", "languageId": "mlir", "version": 1, "text": text}
    session = b"".join(
        [
            _message({"id": 0, "method": "initialize", "params": {"capabilities": {}, "trace": "off"}}),
            _message({"method": "textDocument/didOpen", "params": {"textDocument": document}}),
            _message({"id": 1, "method": "shutdown", "params": None}),
            _message({"method": "exit", "params": None}),
        ]
    )
    answer = subprocess.run([LIB / "acc-lsp-server"], input=session, capture_output=True, timeout=60, check=False)
    assert answer.returncode == 0
    assert b"publishDiagnostics" in answer.stdout
    assert b"graph.relu" in answer.stdout


def test_optimizer_lists_all_passes() -> None:
    text = subprocess.run([LIB / "acc-opt", "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    for name in ("graph-outline-kernels", "te-tile", "vta-expand", "host-bufferize", "one-shot-bufferize"):
        assert f"--{name}" in text
