"""A worker of a tuner as a process: reads jobs from the socket that it is given, and answers with their outcomes."""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection


def main() -> None:
    """Works until the other end is closed."""
    connection = Connection(int(sys.argv[1]))
    # What a pass or a simulator prints is nobody's.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        sys.path[:] = connection.recv()
        import acc.tuning.jobs  # noqa: F401

        connection.send(None)
        while True:
            connection.send(connection.recv().run())
    except (EOFError, OSError):
        pass


if __name__ == "__main__":
    main()
