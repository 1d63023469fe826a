"""Who does the jobs of a tuner: processes of this machine, or Ray's on any number of machines.

Both are `Workers`: jobs go in with a ticket, outcomes come out in any order. A worker that dies loses nothing: another
takes its place and does the job again; a job with which two have died has failed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from acc.errors import CompileError
from acc.tuning.jobs import Outcome

__all__ = ["Processes", "RayWorkers", "Workers", "start"]

ATTEMPTS = 2
"""How many workers may die with a job."""
LIMIT = 300.0
"""Seconds after which a worker that does not answer is taken for dead."""
STARTUP = 120.0
"""Seconds that a new worker may take until it is there."""


class Work(Protocol):
    """Something that a worker can do, wherever it is; it is sent there as it is."""

    def run(self) -> Any:
        """Does it; what goes wrong is part of what it returns."""
        ...


class Workers(Protocol):
    """Does jobs. `capacity` is how many at the same time; `lost`, how many workers have died."""

    capacity: int
    lost: int

    def submit(self, ticket: Any, job: Work) -> None:
        """Takes a job; `outcomes` returns its ticket."""
        ...

    def outcomes(self, timeout: float) -> Sequence[tuple[Any, Any]]:
        """What is done, by ticket; waits for it at most `timeout` seconds. An `Outcome` says why a job has failed."""
        ...

    def close(self) -> None:
        """Ends the workers, with what they are doing."""
        ...


@dataclass
class _Task:
    ticket: Any
    job: Work
    attempts: int = 0


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    connection: Connection
    task: _Task | None = None
    started: float = field(default_factory=time.monotonic)
    ready: bool = False

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


def _failed(task: _Task, why: str) -> tuple[Any, Outcome]:
    return task.ticket, Outcome(None, why)


class Processes:
    """Processes of this machine. Raises CompileError if they do not start."""

    def __init__(self, count: int) -> None:
        self.capacity = count
        self.lost = 0
        self._waiting: deque[_Task] = deque()
        self._done: list[tuple[Any, Outcome]] = []
        self._processes: list[_Process] = []
        self._unready = 0
        for _ in range(count):
            self._start()

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return [known.process.pid for known in self._processes]

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            path = os.pathsep.join(filter(None, sys.path))
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "acc.tuning.worker", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    # Ctrl-C is for the tuner alone.
                    start_new_session=True,
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                raise CompileError(f"cannot start a worker: {error.strerror or error}") from None
            connection = Connection(ours.detach())
        with contextlib.suppress(OSError):
            connection.send(sys.path)
        self._processes.append(_Process(process, connection))

    def submit(self, ticket: Any, job: Work) -> None:
        """See Workers."""
        self._waiting.append(_Task(ticket, job))
        self._feed()

    def _feed(self) -> None:
        for known in list(self._processes):
            if known.ready and known.task is None and self._waiting:
                known.task, known.started = self._waiting.popleft(), time.monotonic()
                try:
                    known.connection.send(known.task.job)
                except (OSError, EOFError):
                    self._replace(known, "died")

    def _replace(self, known: _Process, how: str) -> None:
        """Starts another worker, which does what this one was doing."""
        self.lost += 1
        known.end()
        code = known.process.returncode
        self._processes.remove(known)
        if not known.ready:
            self._unready += 1
            if self._unready > 2:
                raise CompileError(f"the workers do not start: the last one ended with exit code {code}")
        if known.task is not None:
            known.task.attempts += 1
            if known.task.attempts < ATTEMPTS:
                self._waiting.appendleft(known.task)
            else:
                self._done.append(_failed(known.task, f"{known.task.attempts} workers {how} with it"))
        self._start()

    def outcomes(self, timeout: float) -> Sequence[tuple[Any, Any]]:
        """See Workers."""
        until = time.monotonic() + timeout
        while not self._done:
            self._feed()
            left = until - time.monotonic()
            if left <= 0:
                break
            ready = wait([known.connection for known in self._processes], min(left, 1.0))
            for known in list(self._processes):
                if known.connection in ready:
                    self._receive(known)
                elif time.monotonic() - known.started > (LIMIT if known.ready else STARTUP) and (
                    known.task is not None or not known.ready
                ):
                    self._replace(known, f"did not answer for {LIMIT:.0f} s")
        self._feed()
        done, self._done = self._done, []
        return done

    def _receive(self, known: _Process) -> None:
        try:
            message = known.connection.recv()
        except (EOFError, OSError):
            self._replace(known, "died")
            return
        if not known.ready:
            known.ready = True
        elif known.task is not None:
            self._done.append((known.task.ticket, message))
            known.task = None

    def close(self) -> None:
        """See Workers."""
        for known in self._processes:
            known.end()
        self._processes.clear()


class RayWorkers:
    """Actors of Ray, one for each processor of a cluster. Raises CompileError if there is no Ray, or no cluster.

    address: that of the cluster's head, as ray.init takes it. acc must be installed on every machine, the same version.
    """

    def __init__(self, address: str) -> None:
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError:
            raise CompileError("Ray is not installed: pip install 'acc-compiler[ray]'") from None
        self._ray = ray
        try:
            self._is_own = not ray.is_initialized()
            if self._is_own:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            self.capacity = int(ray.cluster_resources().get("CPU", 0))
        except Exception as error:
            raise CompileError(f"there is no Ray cluster at '{address}': {error}") from None
        if self.capacity < 1:
            raise CompileError(f"the Ray cluster at '{address}' has no processors")
        self.lost = 0
        environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        self._actor = ray.remote(num_cpus=1, runtime_env=environment)(_Actor)
        self._free = [self._actor.remote() for _ in range(self.capacity)]
        self._waiting: deque[_Task] = deque()
        self._running: dict[Any, tuple[Any, _Task]] = {}

    def submit(self, ticket: Any, job: Work) -> None:
        """See Workers."""
        self._waiting.append(_Task(ticket, job))
        self._feed()

    def _feed(self) -> None:
        while self._free and self._waiting:
            actor, task = self._free.pop(), self._waiting.popleft()
            self._running[actor.do.remote(task.job)] = (actor, task)

    def outcomes(self, timeout: float) -> Sequence[tuple[Any, Any]]:
        """See Workers."""
        self._feed()
        done: list[tuple[Any, Outcome]] = []
        if not self._running:
            return done
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        for reference in ready:
            actor, task = self._running.pop(reference)
            try:
                done.append((task.ticket, self._ray.get(reference)))
                self._free.append(actor)
            except self._ray.exceptions.RayError as error:
                self.lost += 1
                self._free.append(self._actor.remote())
                task.attempts += 1
                if task.attempts < ATTEMPTS:
                    self._waiting.appendleft(task)
                else:
                    why = str(error).splitlines()[0]
                    done.append(_failed(task, f"{task.attempts} workers died with it: {why}"))
        self._feed()
        return done

    def close(self) -> None:
        """See Workers; the cluster stays."""
        for actor in [*self._free, *(actor for actor, _ in self._running.values())]:
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        if self._is_own:
            self._ray.shutdown()


class _Actor:
    """What Ray runs: a worker."""

    def do(self, job: Work) -> Any:
        """Does a job."""
        return job.run()


def start(jobs: int, ray: str | None) -> Workers:
    """The workers that options ask for."""
    return RayWorkers(ray) if ray is not None else Processes(jobs)
