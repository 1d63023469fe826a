"""`acc doctor`: what works on this machine, and what is kept on it."""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

DAYS = 30.0


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine, and the caches on it",
        description="Looks at what acc needs on this machine and says what to do about what is missing; lists what acc "
        "keeps in its caches. Ends with exit code 1 if nothing can be compiled here.",
    )
    parser.add_argument(
        "--prune",
        metavar="DAYS",
        nargs="?",
        type=_days,
        const=DAYS,
        help=f"remove from the caches what has not been used for so many days (default: {DAYS:g}; 0: everything)",
    )
    parser.add_argument("--json", action="store_true", help="print as JSON, with versions")
    parser.set_defaults(run=run)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of days from 0 on")
    return days


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.caches import caches
    from acc.machine import checks, versions
    from acc.report import format_table

    if args.prune is not None:
        removed = [entry for cache in caches() for entry in cache.prune(args.prune)]
        freed = sum(entry.bytes for entry in removed)
        if args.json:
            print(json.dumps({"removed": [str(entry.path) for entry in removed], "bytes": freed}))
        else:
            print(f"removed {len(removed)} entries, {_size(freed)}")
        return 0
    found = list(checks())
    kept = []
    for cache in caches():
        entries = cache.entries()
        facts = {"holds": cache.holds, "folder": str(cache.folder), "entries": len(entries)}
        unused = (time.time() - entries[0].used) / (24 * 60 * 60) if entries else 0.0
        kept.append({**facts, "bytes": sum(entry.bytes for entry in entries), "longest_unused_days": unused})
    if args.json:
        print(json.dumps({"checks": [check.to_dict() for check in found], "caches": kept, "versions": versions()}))
    else:
        print(format_table([[check.name, check.state, check.found] for check in found], ["what", "", "found"]))
        remedies = [f"  {check.name}: {check.remedy}" for check in found if check.remedy]
        if remedies:
            print("\nWhat to do:\n" + "\n".join(remedies))
        print()
        rows = [
            [
                *(cache["holds"], str(cache["entries"]), _size(cache["bytes"])),
                *(f"{cache['longest_unused_days']:.0f}", cache["folder"]),
            ]
            for cache in kept
        ]
        print(format_table(rows, ["cache of", "entries", "size", "days unused", "folder"]))
    return int(any(check.state == "bad" for check in found))


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
