"""``poolwitness dump PID``: the live state of a running process, which continues as before."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import poolwitness
from poolwitness.cli import state_text
from poolwitness.cli.dump import Unanswered, remote
from poolwitness.cli.dump.process import Process, inspect, main_thread_at
from poolwitness.cli.output import UsageError, print_message
from poolwitness.config import Config
from poolwitness.dump import client

Event = dict[str, Any]

PATIENCE_S = 3.0
LARGEST_PID = 2**31 - 1


ARGUMENTS: dict[str, dict[str, Any]] = {
    "pid": {"metavar": "PID", "help": "the number of a running Python process"},
    "--format": {"choices": ("console", "json"), "default": "console", "help": "console for people, json for programs"},
    "--timeout": {
        "metavar": "S",
        "default": str(PATIENCE_S),
        "help": "seconds to wait for an answer (default: %(default)s)",
    },
    "--wake": {
        "metavar": "SIGNAL",
        "default": "",
        "help": "where there is no agent: send a signal that the program handles, "
        "so that a blocked main thread answers",
    },
}


def run(args: argparse.Namespace) -> int:
    """Print the state; 1 where the process cannot be asked or does not answer."""
    pid, timeout_s = _pid(args.pid), _seconds(args.timeout)
    try:
        events = ask(pid, timeout_s, args.wake.upper())
    except Unanswered as sentence:
        print_message(str(sentence))
        return 1
    if args.format == "json":
        for event in events:
            print(json.dumps(event, separators=(",", ":")))
    else:
        sys.stdout.write(state_text.text_of(events))
    return 0


def ask(pid: int, timeout_s: float, wake: str = "") -> list[Event]:
    """The live state of a process, as the events of one report; *timeout_s* is for everything together.

    *wake* names a signal for a process without an agent whose main thread is blocked.
    """
    started_mono = time.monotonic()
    process = inspect(pid)
    can_reach = remote.possible(process)
    patience_s = timeout_s / 2 if can_reach else timeout_s
    try:
        return _events(client.ask(pid, process.uid, started_mono + patience_s), pid)
    except client.NoAnswer:
        listens = True
    except client.NotListening:
        listens = False
        if process.elsewhere:
            raise Unanswered(
                f"no agent answers in process {pid}, and it sees other files and sockets than this command (in a "
                f"container, or under systemd's PrivateTmp): run the command in there, for example with "
                f"`docker exec` or `nsenter -a -t {pid}`, and with the pid that it has in there."
            ) from None
    if not can_reach or process.elsewhere:
        raise Unanswered(_cannot_reach(process, listens, timeout_s))
    try:
        return _events(remote.ask(process, started_mono + timeout_s, wake), pid)
    except TimeoutError:
        raise Unanswered(_blocked(process, listens, timeout_s)) from None


def _events(answer: bytes, pid: int) -> list[Event]:
    try:
        lines = answer.splitlines()
        first = json.loads(lines[0])
        if "poolwitness.heap" in first:
            from poolwitness.cli.dump import heap  # with the rules and the pipeline, which take long to load

            lines = heap.lines_of(first, Config.from_environ(os.environ)).splitlines()
        events: list[Event] = [json.loads(line) for line in lines if line]
        if events[0]["event"] == "poolwitness.state" and events[0]["poolwitness.schema_version"].startswith("1."):
            return events
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        pass
    raise Unanswered(
        f"process {pid} answered in a way that poolwitness {poolwitness.__version__} does not understand; "
        f"run the release that is installed there."
    )


def _cannot_reach(process: Process, listens: bool, timeout_s: float) -> str:
    pid = process.pid
    if listens:
        return (
            f"the agent of process {pid} did not answer within {timeout_s:g} s: its event loop, or every thread, is "
            f"blocked; with POOLWITNESS_SIGNAL=SIGUSR2 in its environment it answers also then."
        )
    if process.series is not None and process.series >= (3, 14):
        home = Path(poolwitness.__file__).resolve().parent.parent
        return (
            f"no agent answers in process {pid}, which runs {process.python}; that Python can look into it: "
            f"PYTHONPATH={home} {process.program} -m poolwitness dump {pid}"
        )
    if process.agent_wanted:
        return (
            f"the agent of process {pid} is switched on, but does not listen yet: it does as soon as a pool is opened "
            f"(and not at POOLWITNESS_LEVEL=exit)."
        )
    return (
        f"process {pid} runs {process.python} without the agent, and only Python 3.14 and later can be looked into "
        f"then; start it with POOLWITNESS=1, or with `poolwitness run -- ...`."
    )


def _blocked(process: Process, listens: bool, timeout_s: float) -> str:
    at = main_thread_at(process)
    said = f"the main thread of process {process.pid} did not run the request within {timeout_s:g} s"
    said += f": it is blocked at {at}. " if at else ". "
    handled = [name for name in process.catches if name != "SIGINT"]
    if listens:
        return said + "With POOLWITNESS_SIGNAL=SIGUSR2 in its environment it answers also then."
    if handled:
        signals = ", ".join(handled)
        said += f"A signal that it handles wakes it: add --wake with one of {signals}, if you know what it does there. "
    return said + "With POOLWITNESS=1 in its environment it answers whatever its main thread is doing."


def _pid(word: str) -> int:
    with suppress(ValueError):
        if 0 < int(word) <= LARGEST_PID:
            return int(word)
    raise UsageError(f"{word!r} is not a process id: give a number such as 4711, as `ps` shows it.")


def _seconds(word: str) -> float:
    with suppress(ValueError):
        if 0 < float(word) <= 3600:
            return float(word)
    raise UsageError(f"--timeout {word!r} is not a number of seconds over 0.")
