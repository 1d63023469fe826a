"""Pages in a headless Chromium: a script looks at a page of a given width, and says what it found."""

from __future__ import annotations

import html
import json
import pathlib
import re
import subprocess
from html.parser import HTMLParser
from typing import Any

CATCHER = "<script>window.problems = []; window.onerror = message => { problems.push(String(message)); };</script>"


def look(browser: str, page: str, probe: str, width: int, folder: pathlib.Path, height: int = 800) -> Any:
    """What a JavaScript expression is of `page`, the document, and `inner`, its window.

    `inner.problems` has the errors of scripts. folder: where files of the browser go.
    """
    page = page.replace("<head>", f"<head>{CATCHER}", 1)
    script = (
        "const frame = document.querySelector('iframe'), page = frame.contentDocument, inner = frame.contentWindow;"
        f"document.title = JSON.stringify({probe});"
    )
    outer = (
        f"<!doctype html><iframe style='border:0' width='{width}' height='{height}' "
        f'srcdoc="{html.escape(page, quote=True)}" onload="{html.escape(script, quote=True)}"></iframe>'
    )
    path = folder / "outer.html"
    path.write_text(outer)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    run = subprocess.run([*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", run.stdout)
    assert title is not None, run.stderr[-2000:]
    return json.loads(html.unescape(title.group(1)))


class Balance(HTMLParser):
    """Finds tags that are not closed, links that lead nowhere, and anything from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.outside: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            elif name in ("href", "src"):
                (self.links if (value or "").startswith("#") else self.outside).add(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag
