"""Start a program or a server, have it use its pool, end it as users do, and read what it left."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.processes.ends.cells import Cell
from tests.support.programs import environment, split

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 90.0
SERVED = "served"
_choosing = threading.Lock()
_ports = iter([10_000 + (os.getpid() * 1_009 + number) % 20_000 for number in range(20_000)])


@dataclass(frozen=True)
class CellRun:
    """How it ended, what it said, and what the agent told."""

    status: int
    stdout: str
    stderr: str
    events: list[dict[str, Any]]
    seconds: float
    boxes: Path

    def of(self, pid: int, name: str) -> list[dict[str, Any]]:
        """The events of a name that one process told."""
        return [event for event in self.events if event["process.pid"] == pid and event["event"] == name]

    @property
    def words(self) -> list[str]:
        """What it printed, each line once: whoever asks until he is answered asks more than once."""
        return list(dict.fromkeys(re.sub(r"0x[0-9a-f]+|\d+", "N", line) for line in self.stdout.splitlines()))

    @property
    def pids(self) -> list[int]:
        """The processes that made a pool."""
        return list(dict.fromkeys(event["process.pid"] for event in self.events))


def run_cell(cell: Cell, dsn: str, folder: Path, agent: bool) -> CellRun:
    """Run a cell of the table from its start to its end.

    Args:
        cell: what, and how it ends.
        dsn: of the database.
        folder: an empty one.
        agent: whether the agent is on; its black boxes are in ``boxes``.
    """
    ports = {"port": _free_port(), "stats": _free_port()}
    env = environment(DSN=dsn, PYTHONPATH=str(PROGRAMS), MARK=str(folder / "mark"), **cell.env)
    if agent:
        env.update(POOLWITNESS="1", POOLWITNESS_FORMAT="json", POOLWITNESS_BLACKBOX=str(folder / "boxes"))
    (folder / "boxes").mkdir()
    command = [word.format(python=sys.executable, **ports) if "{" in word else word for word in cell.command]
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
            ending_mono = _end(cell, process, ports, folder)
            status = process.wait(PATIENCE_S)
            ended_mono = time.monotonic()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            said = (folder / "stderr").read_text("utf-8", "replace")[-3000:]
            raise AssertionError(f"{error}\n{said}") from error
        finally:
            _end_session(process)
    if not cell.signals and (folder / "mark").exists():
        ending_mono = float((folder / "mark").read_text())
    events, own = split((folder / "stderr").read_bytes())
    said = (folder / "stdout").read_text("utf-8", "replace")
    return CellRun(status, said, own.decode("utf-8", "replace"), events, ended_mono - ending_mono, folder / "boxes")


def _end(cell: Cell, process: subprocess.Popen[bytes], ports: dict[str, int], folder: Path) -> float:
    """Wait until it has used its pool, and send it its signals; when that was done, or when it began."""
    if not cell.signals:
        return time.monotonic()
    for _ in range(cell.requests):
        if cell.requests > 1:
            _poll(lambda: _workers(process.pid), "it has no worker", process)
            before = _workers(process.pid)
        _wait_until_served(cell, process, ports, folder)
        if cell.requests > 1:
            # It may not be stopped in the middle of its end: uWSGI's exit() called again skips what is left.
            _poll(partial(_are_replaced, before, process.pid), "the worker was not renewed", process)
            _wait_until_idle(cell, process, ports)
    for number in cell.signals[:-1]:
        before = _workers(process.pid)
        if cell.is_busy:
            _keep_busy(ports["port"], process, folder)
        process.send_signal(number)
        # A reload: another worker, and its own pool.
        _poll(partial(_are_replaced, before, process.pid), "the old workers are still there", process)
        _wait_until_served(cell, process, ports, folder)
    if cell.is_busy and len(cell.signals) == 1:
        _keep_busy(ports["port"], process, folder)
    ended_mono = time.monotonic()
    (os.killpg if cell.to_group else os.kill)(process.pid, cell.signals[-1])
    return ended_mono


def _wait_until_served(cell: Cell, process: subprocess.Popen[bytes], ports: dict[str, int], folder: Path) -> None:
    if not cell.serves:
        _poll(lambda: SERVED in (folder / "stdout").read_text("utf-8", "replace"), "it served nobody", process)
        return
    _poll(lambda: _answer(ports["port"]) == SERVED, "it serves nobody", process)
    _wait_until_idle(cell, process, ports)


def _wait_until_idle(cell: Cell, process: subprocess.Popen[bytes], ports: dict[str, int]) -> None:
    # An answer is read before the server is done with the request: gunicorn's threads deadlock on a SIGQUIT then.
    _poll(partial(_sleep_on, process.pid), "it is always at work", process)
    if any("{stats}" in word for word in cell.command):
        _poll(lambda: _is_idle(ports["stats"]), "its workers are never idle", process)


def _keep_busy(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Have a worker be in the middle of a request."""
    (folder / "mark").unlink(missing_ok=True)
    threading.Thread(target=_answer, args=[port, "/slow"], daemon=True).start()
    _poll((folder / "mark").exists, "the request did not begin", process)


def _sleep_on(pid: int) -> bool:
    """Whether no thread of a process and its children does anything for a while; elsewhere than on Linux, that while."""
    before = _states(pid)
    time.sleep(0.2)
    return before == _states(pid) and all(state == "S" for state, _ in before)


def _states(pid: int) -> list[tuple[str, str]]:
    """The state of each thread, and its time on a processor."""
    found = []
    for process in (pid, *_workers(pid)):
        for stat in Path("/proc").glob(f"{process}/task/*/stat"):
            try:
                fields = stat.read_text("ascii", "replace").rpartition(")")[2].split()
            except OSError:
                return [("gone", "")]
            found.append((fields[0], fields[11] + fields[12]))
    return found


def _is_idle(port: int) -> bool:
    """Whether uWSGI's statistics say so: an answer is read before the worker is done with the request."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection, connection.makefile("rb") as file:
            return all(worker["status"] == "idle" for worker in json.load(file)["workers"])
    except (OSError, ValueError):
        return False


def _answer(port: int, path: str = "/") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
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


def _are_replaced(before: set[int], pid: int) -> bool:
    now = _workers(pid)
    return bool(before and now) and not before & now


def _workers(pid: int) -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process(pid).children()}


def _free_port() -> int:
    # Below those that the system gives to anybody at any moment, and for each process of tests another stretch.
    with _choosing:
        for port in _ports:
            try:
                with socket.create_server(("127.0.0.1", port)):
                    return port
            except OSError:
                continue
    raise AssertionError("no free port")


def _end_session(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait(10)
