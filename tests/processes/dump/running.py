"""Start a program, wait until it is ready, ask it, let it end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.programs import strict

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 60.0

Event = dict[str, Any]
Completed = subprocess.CompletedProcess[str]


class State:
    """A report of the live state: its events, by their names."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.process = events[0]
        assert self.process["event"] == "poolwitness.state"
        assert {event["poolwitness.report_id"] for event in events} == {self.process["poolwitness.report_id"]}
        assert [event["poolwitness.seq"] for event in events] == list(range(1, len(events) + 1))

    def named(self, name: str) -> list[Event]:
        """The events of one name, without what stands before each name."""
        return [event for event in self.events if event["event"] == f"poolwitness.{name}"]

    @property
    def pools(self) -> dict[str, Event]:
        """The pools by name."""
        return {event["db.client.connection.pool.name"]: event for event in self.named("pool.state")}

    @property
    def findings(self) -> dict[str, Event]:
        """One finding of each rule, by its code."""
        return {event["poolwitness.rule"]: event for event in self.named("finding")}


@dataclass
class Running:
    """A program that has said that it is ready."""

    process: subprocess.Popen[str]
    stderr_file: Path
    words: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Of the program."""
        return self.process.pid

    def tell(self, word: str) -> None:
        """Write a line to the program."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line of the program; fails the test when none comes."""
        assert self.process.stdout is not None
        timer = threading.Timer(PATIENCE_S, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline().rstrip("\n")
        finally:
            timer.cancel()
            timer.join()
        assert line, f"the program ended or fell silent: {self.stderr()}"
        return line

    def stderr(self) -> str:
        """What it has written there so far."""
        return self.stderr_file.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str = "") -> list[Event]:
        """The agent's events so far, all or those of a name."""
        lines = self.stderr().splitlines(keepends=True)
        told = [strict(line.encode()) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [event for event in told if not name or event["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> list[Event]:
        """Poll until there are so many events of a name."""
        deadline_mono = time.monotonic() + PATIENCE_S
        while len(found := self.events(name)) < count:
            assert time.monotonic() < deadline_mono, f"no {count} x {name}: {self.stderr()}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.stderr()}"
            time.sleep(0.01)
        return found

    def end(self) -> int:
        """Tell it to go on, and wait for its end."""
        self.tell("go on")
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(program: str, *words: str, dsn: str, python: str = sys.executable, **environ: str) -> Iterator[Running]:
    """Run one of the programs for as long as the block lasts.

    Args:
        program: its name, without ``.py``.
        words: its arguments.
        dsn: of the database.
        python: the interpreter.
        environ: further variables; without POOLWITNESS the agent is off.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PYTHON"))}
    with tempfile.TemporaryDirectory() as folder:
        stderr_file = Path(folder) / "stderr"
        with stderr_file.open("w") as stderr:
            process = subprocess.Popen(
                [python, str(PROGRAMS / f"{program}.py"), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**inherited, "DSN": dsn, **environ},
                text=True,
            )
        with process:
            program_running = Running(process, stderr_file)
            try:
                program_running.words = program_running.hear().split()
                assert program_running.words[0] == "READY"
                yield program_running
            finally:
                process.kill()


def dump(pid: int | str, *words: str, python: str = sys.executable, **environ: str) -> Completed:
    """Run ``poolwitness dump`` in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PYTHON"))}
    return subprocess.run(
        [python, "-m", "poolwitness", "dump", *words, str(pid)],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def state_of(pid: int, *words: str, **environ: str) -> State:
    """What a process answers."""
    # Patient: how quick it is has tests of its own.
    done = dump(pid, "--format", "json", "--timeout", "30", *words, **environ)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return State([strict(line.encode()) for line in done.stdout.splitlines(keepends=True)])


def refusal(done: Completed, status: int = 1) -> str:
    """What the command says where it cannot answer: on stderr, in one line."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("poolwitness: ")
    return line


def line_of(program: str, mark: str) -> int:
    """The number of the line that ends with ``# mark: …``."""
    lines = (PROGRAMS / f"{program}.py").read_text(encoding="utf-8").splitlines()
    (found,) = [number for number, line in enumerate(lines, start=1) if line.endswith(f"# mark: {mark}")]
    return found


def taking_s(*words: str) -> float:
    """How long the command takes, beyond its start, which is this machine's business: the least of a few times."""
    return _least_s("dump", *words) - _least_s("--version")


def _least_s(*words: str) -> float:
    times = []
    for _ in range(4):
        started_mono = time.monotonic()
        subprocess.run([sys.executable, "-m", "poolwitness", *words], capture_output=True)
        times.append(time.monotonic() - started_mono)
    return min(times)
