"""The documentation: every page is in the site, and no link leads nowhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_every_page_is_in_the_site() -> None:
    listed = set(re.findall(r"[-\w/]+\.md", (ROOT / "mkdocs.yml").read_text()))
    written = {"index.md", *(path.relative_to(ROOT / "docs").as_posix() for path in PAGES)}
    made = {f"reference/{file.parent.name.lower()}-dialect.md" for file in (ROOT / "dialects").glob("*/*Dialect.td")}
    made |= {f"reference/{file.parent.name.lower()}-passes.md" for file in (ROOT / "passes").glob("*/Passes.td")}
    assert listed == {"reference/python.md", *written, *made}


@pytest.mark.long
def test_the_site_is_built_without_a_warning() -> None:
    subprocess.run([ROOT / "scripts" / "docs.sh"], check=True, timeout=600)
    python = (ROOT / "build" / "site" / "reference" / "python" / "index.html").read_text()
    for name in ("acc.compile", "acc.Executable.run", "acc.torch.compile", "acc.devices.register"):
        assert f'id="{name}"' in python, name
    passes = (ROOT / "build" / "site" / "reference" / "te-passes" / "index.html").read_text()
    assert 'id="-te-tile"' in passes


def anchors(page: Path) -> set[str]:
    """What headings are called in links, as GitHub and the site make it of them."""
    titles = re.findall(r"^#+ +(.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), target
