"""What mkdocs.yml cannot say: the README is the first page, and references are made of the sources.

Those of dialects and passes come from TableGen's descriptions, that of Python from docstrings.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError  # pyright: ignore[reportMissingImports]
from mkdocs.structure.files import File, Files  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).resolve().parents[1]


# The modules whose public names the reference of the Python interface has, in the order of the page.
MODULES = [
    "acc",
    "acc.torch",
    "acc.onnx_backend",
    "acc.devices",
    "acc.schedule",
    "acc.tuning",
    "acc.targets.base",
    *(
        f"acc.targets.{path.name}"
        for path in sorted((ROOT / "python/acc/targets").iterdir())
        if (path / "__init__.py").exists()
    ),
    "acc.ir",
    "acc.passmanager",
]


def tablegen(generator: str, file: Path) -> str:
    """What mlir-tblgen's documentation generators make of a file."""
    program = shutil.which("mlir-tblgen-22") or "/usr/lib/llvm-22/bin/mlir-tblgen"
    # Descriptions of targets include facts that the build makes of their instruction sets.
    includes = [ROOT, ROOT / "build", ROOT / "build/runtime/include", "/usr/lib/llvm-22/include"]
    command = [program, *generator.split(), *(f"-I{folder}" for folder in includes), str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PluginError(f"{' '.join(command)}: {result.stderr.strip()} (make build first)")
    return result.stdout


def references() -> dict[str, str]:
    """The pages that are made of the sources, by address."""
    pages = {}
    parts = [f"::: {name}\n" for name in MODULES]
    pages["reference/python.md"] = "# The Python interface\n\n" + "\n".join(parts)
    for file in sorted((ROOT / "dialects").glob("*/*Ops.td")):
        name = file.parent.name
        if file.stem == f"{name}Ops":
            made = tablegen(f"-gen-dialect-doc -dialect={name.lower()}", file)
            pages[f"reference/{name.lower()}-dialect.md"] = re.sub(
                r"^# .*$", f"# The {name.lower()} dialect: reference", made, count=1, flags=re.MULTILINE
            )
    for file in sorted((ROOT / "passes").glob("*/Passes.td")):
        name = file.parent.name.lower()
        made = tablegen("-gen-pass-doc", file)
        pages[f"reference/{name}-passes.md"] = f"# Passes of {name}\n\n[TOC]\n\n{made}".replace("\n### `-", "\n## `-")
    return pages


def on_files(files: Files, config: Any) -> Files:
    """Adds the README as index.md, and the references."""
    text = (ROOT / "README.md").read_text()
    text = re.sub(r"\]\(docs/([^)]*)\)", r"](\1)", text)
    # A folder has no page; its first file stands for it.
    text = re.sub(r"\]\(dialects\)", "](dialects/graph.md)", text)
    for address, content in {"index.md": text, **references()}.items():
        files.append(File.generated(config, address, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leaves names of files that are not part of the documentation without a link."""
    outside = r"\.\./" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"\[([^\]]*)\]\({outside}[^)]*\)", r"\1", markdown)
