"""Start a program or a server, have it use its pool, end it as users do, and read what it left."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.ends.cells import Cell
from tests.programs import environment, split

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 90.0
SERVED = "served"


@dataclass(frozen=True)
class Life:
    """How it ended, what it said, and what the agent told."""

    status: int
    stdout: str
    stderr: str
    events: list[dict[str, Any]]
    seconds: float

    def of(self, pid: int, name: str) -> list[dict[str, Any]]:
        """The events of a name that one process told."""
        return [event for event in self.events if event["process.pid"] == pid and event["event"] == name]

    @property
    def pids(self) -> list[int]:
        """The processes that made a pool."""
        return list(dict.fromkeys(event["process.pid"] for event in self.events))


def live(cell: Cell, dsn: str, folder: Path, agent: bool) -> Life:
    """Run a cell of the table from its start to its end.

    Args:
        cell: what, and how it ends.
        dsn: of the database.
        folder: an empty one.
        agent: whether the agent is on; its black boxes are in ``boxes``.
    """
    port = _free_port()
    env = environment(DSN=dsn, PYTHONPATH=str(PROGRAMS), **cell.env)
    if agent:
        env.update(POOLWITNESS="1", POOLWITNESS_FORMAT="json", POOLWITNESS_BLACKBOX=str(folder / "boxes"))
    (folder / "boxes").mkdir()
    command = [word.format(port=port) if "{port}" in word else word for word in cell.command]
    if command[0].endswith(".py"):
        command[0] = str(PROGRAMS / command[0])
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=PROGRAMS,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            ended_mono = _end(cell, process, port, folder)
            status = process.wait(PATIENCE_S)
            seconds = time.monotonic() - ended_mono
        except (AssertionError, subprocess.TimeoutExpired) as error:
            said = (folder / "stderr").read_text("utf-8", "replace")[-3000:]
            raise AssertionError(f"{error}\n{said}") from error
        finally:
            _end_session(process)
    events, own = split((folder / "stderr").read_bytes())
    said = (folder / "stdout").read_text("utf-8", "replace")
    return Life(status, said, own.decode("utf-8", "replace"), events, seconds)


def _end(cell: Cell, process: subprocess.Popen[bytes], port: int, folder: Path) -> float:
    """Wait until it has used its pool, and send it its signals; when that was done."""
    if not cell.signals:
        return time.monotonic()
    for _ in range(cell.requests):
        _wait_until_served(cell, process, port, folder)
    for number in cell.signals[:-1]:
        before = _workers(process.pid)
        process.send_signal(number)
        # A reload: another worker, and its own pool.
        _poll(partial(_are_gone, before, process.pid), "the old workers are still there", process)
        _wait_until_served(cell, process, port, folder)
    ended_mono = time.monotonic()
    process.send_signal(cell.signals[-1])
    return ended_mono


def _wait_until_served(cell: Cell, process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    if not cell.serves:
        _poll(lambda: SERVED in (folder / "stdout").read_text("utf-8", "replace"), "it served nobody", process)
        return
    _poll(lambda: _answer(port) == SERVED, "it serves nobody", process)


def _answer(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def _poll(is_so: Any, complaint: str, process: subprocess.Popen[bytes]) -> None:
    deadline_mono = time.monotonic() + PATIENCE_S
    while not is_so():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < deadline_mono, complaint
        time.sleep(0.05)


def _are_gone(before: set[int], pid: int) -> bool:
    return bool(before) and not before & _workers(pid)


def _workers(pid: int) -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process(pid).children()}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _end_session(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait(10)
