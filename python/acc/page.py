"""What the pages of reports have in common: one document, nothing from elsewhere, readable on a phone.

Plots are SVG in the page. Colours follow the reader's light or dark scheme.
"""

from __future__ import annotations

import html

__all__ = ["STYLE", "document", "text"]

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --ground: #ffffff; --card: #f4f6f8; --line: #d5dae0;
  --good: #2f7d4f; --fair: #b07a10; --bad: #c4372b; --mark: #2563c9; --fill: #9db9e8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --dim: #9aa4af; --ground: #14171b; --card: #1d2227;
  --line: #363d45; --good: #5fbd85; --fair: #e0ad4a; --bad: #f07b70; --mark: #7aa8f5; --fill: #3c5a8f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, ul { margin: .4rem 0; } ul { padding-left: 1.2rem; }
.dim, figcaption { color: var(--dim); font-size: .875rem; }
.card { background: var(--card); border-radius: .5rem; padding: .75rem 1rem; margin: .5rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; }
th { color: var(--dim); font-weight: 600; }
a { color: var(--mark); }
.good { color: var(--good); } .fair { color: var(--fair); } .bad { color: var(--bad); }
figure { margin: 0; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font: 11px system-ui, sans-serif; }
svg .good { fill: var(--good); } svg .fair { fill: var(--fair); } svg .bad { fill: var(--bad); }
.axis { stroke: var(--line); fill: none; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; }
summary { cursor: pointer; padding: .3rem 0; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: .5rem 0; font-size: .875rem; }
dt { color: var(--dim); } dd { margin: 0; }
"""


def text(value: object) -> str:
    """A value as text of a page, or of an attribute."""
    return html.escape(str(value), quote=True)


def document(title: str, parts: list[str], style: str = "") -> str:
    """The page, a whole document. parts: of its body, of which empty ones are left out. style: beside what all have."""
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{text(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body>\n</html>\n"
    )
