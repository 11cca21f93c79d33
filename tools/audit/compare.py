"""Run a command with the agent and without; list every difference that the program or its parent could notice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe")
SWEEPER = "poolwitness-sweeper"
# The agent's own: the socket for `poolwitness dump`, and the log file if there is one.
MOST_DESCRIPTORS = 2
BUSY = ("socket", "anon_inode")
# Of a whole program, beside twice its time: the machine may be busy.
MOST_SECONDS = 2.0
# Addresses, pids and times differ from run to run.
VARYING = re.compile(rb"0x[0-9a-f]+|\b\d+\.\d+\b|(?<=pid[ =])\d+|\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Side:
    """One run."""

    stdout: bytes
    stderr: bytes
    lines: list[bytes]
    status: int
    seconds: float
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The agent's lines, parsed."""
        return [json.loads(line) for line in self.lines if line.startswith(b"{")]

    @property
    def rules(self) -> list[str]:
        """The rules of the findings."""
        return sorted(event["poolwitness.rule"] for event in self.events if event["event"] == "poolwitness.finding")


@dataclass(frozen=True)
class Comparison:
    """Both runs and what differs."""

    without: Side
    with_agent: Side
    differences: list[str]


def compare(
    command: Sequence[str], env: Mapping[str, str], settings: Mapping[str, str], timeout_s: float = 120.0
) -> Comparison:
    """Run a command twice.

    Args:
        command: words; a Python program, since the probe is in Python.
        env: all of its environment.
        settings: POOLWITNESS_… variables of the run with the agent.
        timeout_s: seconds for each run.
    """
    without = run(command, env, timeout_s)
    with_agent = run(command, {**env, "POOLWITNESS": "1", "POOLWITNESS_FORMAT": "json", **settings}, timeout_s)
    return Comparison(without, with_agent, list(differences(without, with_agent)))


def run(command: Sequence[str], env: Mapping[str, str], timeout_s: float) -> Side:
    """Run a command in a directory of its own, with the probe in its interpreter."""
    with tempfile.TemporaryDirectory(prefix="pwaudit") as folder:
        probe = Path(folder, "probe.json")
        path = os.pathsep.join(filter(None, [str(PROBE), env.get("PYTHONPATH", "")]))
        work = Path(folder, "work")
        work.mkdir()
        started_mono = time.monotonic()
        done = subprocess.run(
            command,
            cwd=work,
            env={**env, "PYTHONPATH": path, "PWTEST_PROBE": str(probe)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
        )
        seconds = time.monotonic() - started_mono
        state = json.loads(probe.read_text()) if probe.exists() else {}
        name = folder.encode()
    own = [line for line in done.stderr.splitlines(keepends=True) if not is_agents(line)]
    lines = [line for line in done.stderr.splitlines(keepends=True) if is_agents(line)]
    without_folder = json.loads(json.dumps(state).replace(name.decode(), "FOLDER"))
    stdout, stderr = (text.replace(name, b"FOLDER") for text in (done.stdout, b"".join(own)))
    return Side(stdout, stderr, lines, done.returncode, seconds, without_folder)


def is_agents(line: bytes) -> bool:
    """Whether a line is the agent's: all that it writes says so."""
    return b'"logger":"poolwitness"' in line or line.startswith(b"poolwitness:")


def differences(without: Side, with_agent: Side) -> list[str]:
    """A sentence for each thing that differs and may not."""
    found = []
    for name in ("stdout", "stderr"):
        left, right = (VARYING.sub(b"N", getattr(side, name)) for side in (without, with_agent))
        if left != right:
            found.append(f"{name}: {_first_difference(left, right)}")
    if without.status != with_agent.status:
        found.append(f"status: {without.status}, with the agent {with_agent.status}")
    if with_agent.seconds > 2 * without.seconds + MOST_SECONDS:
        found.append(f"time: {without.seconds:.1f} s, with the agent {with_agent.seconds:.1f} s")
    if bool(without.state) != bool(with_agent.state):
        found.append("atexit callbacks ran in one of the two runs only")
    elif without.state:
        found += _state_differences(without.state, with_agent.state)
    failed = [event["message"] for event in with_agent.events if event["event"].endswith((".failed", "part_disabled"))]
    return found + [f"the agent: {message}" for message in failed]


def _state_differences(without: dict[str, Any], with_agent: dict[str, Any]) -> list[str]:
    found = []
    for name, left in without.items():
        right = with_agent[name]
        if name == "threads":
            right = [thread for thread in right if thread != SWEEPER]
        elif name == "os threads":
            right -= min(1, with_agent["threads"].count(SWEEPER))
        elif name == "descriptors":
            # By kind: numbers and the pools' own sockets depend on which thread was quicker.
            left, right = ([kind for kind in side.values() if kind not in BUSY] for side in (left, right))
            more = len(right) - len(left)
            if more and 0 < more <= MOST_DESCRIPTORS and all(left.count(kind) <= right.count(kind) for kind in left):
                right = left
            left, right = sorted(left), sorted(right)
        elif name == "meta path":
            right = [finder for finder in right if finder != "PostImportFinder"]
        elif name == "logging":  # of structlog's dependencies and asyncio: modules that are loaded earlier
            left, right = left[:2], right[:2]
        if _masked(left) != _masked(right):
            found.append(f"{name}: {left}, with the agent {right}")
    return found


def _masked(value: Any) -> bytes:
    return VARYING.sub(b"N", json.dumps(value, sort_keys=True).encode())


def _first_difference(left: bytes, right: bytes) -> str:
    lines = zip([*left.splitlines(), b""], [*right.splitlines(), b""], strict=False)
    one, other = next((pair for pair in lines if pair[0] != pair[1]), (left, right))
    return f"{one.decode(errors='replace')!r}, with the agent {other.decode(errors='replace')!r}"


def main_environment() -> dict[str, str]:
    """The environment without what steers the agent."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PWTEST"))}
