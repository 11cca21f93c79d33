"""A process that has imported what programs import, and forks one for each run: a hundred runs take seconds.

It reads one request a line on stdin, as JSON, and answers with the exit status, a line each. What has been imported
is neither psycopg_pool nor any of the agent, so that a run differs from a fresh interpreter's in its speed alone.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - imported for the runs
import dataclasses  # noqa: F401
import json
import logging  # noqa: F401
import os
import signal
import sys
import time
import urllib.parse  # noqa: F401
from pathlib import Path
from typing import Any

import psutil  # noqa: F401
import psycopg  # noqa: F401
import structlog  # noqa: F401

sys.path.append(str(Path(__file__).resolve().parents[3]))

from tests.promises.fault_injection import injection

EXCEPTIONS: dict[str, type[BaseException]] = {"RuntimeError": RuntimeError, "KeyboardInterrupt": KeyboardInterrupt}
PTH = "poolwitness.pth"


def requests() -> dict[str, Any] | None:
    """Serve requests until there are no more; in each child, return the one that is its own."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if not pid:
            return request
        os.write(1, b"%d\n" % status_of(pid, request["timeout_s"]))
    return None


def status_of(pid: int, timeout_s: float) -> int:
    """The exit status of a child (negative: a signal), which is killed when its time is over."""
    over_mono = time.monotonic() + timeout_s
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > over_mono:
            os.killpg(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        time.sleep(0.005)


def prepare(request: dict[str, Any]) -> None:
    """Make this child the process of a program: its outputs, its environment, and the agent where it is wanted."""
    os.setsid()
    for number, name in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(fd, number)
        os.close(fd)
    os.environ.update(request["env"])
    sys.argv = [request["program"], *request["arguments"]]
    reports = os.open(request["reached"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def reached(where: str) -> None:
        os.write(reports, where.encode() + b"\n")

    if request["target"]:
        injection.inject(request["target"], EXCEPTIONS[request["exception"]], reached)
    if request["record"]:
        injection.record(reached)
    if "POOLWITNESS" in os.environ:
        for folder in sys.path:
            if os.path.isfile(os.path.join(folder, PTH)):
                with open(os.path.join(folder, PTH), encoding="utf-8") as lines:
                    exec(lines.read())
                break


if __name__ == "__main__":
    request = requests()
    if request is not None:
        prepare(request)
        with open(request["program"], encoding="utf-8") as file:
            code = compile(file.read(), request["program"], "exec")
        exec(code)
