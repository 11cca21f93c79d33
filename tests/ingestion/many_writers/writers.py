"""Processes that write at once, each through the agent's own pipeline, and each keeping account of what it wrote.

python -m tests.ingestion.many_writers.writers PROCESSES LINES OUTPUT FOLDER

Each writes so many lines, whatever is lost meanwhile, and its verdict when stdin is at its end; FOLDER gets what each
has counted.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

from poolwitness.config import Config
from poolwitness.diagnose.lifecycle import exit_delayed
from poolwitness.guards import Guard
from poolwitness.model.findings import Finding
from poolwitness.model.records import PoolRecord, Stack
from poolwitness.report import build
from poolwitness.report.open_sinks import open_sinks
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.pool_totals import PoolTotals
from poolwitness.report.sinks import FdSink
from poolwitness.runtime.reporter import Reporter
from poolwitness.runtime.verdict import PATIENCE_S
from tests.support import samples, snapshots

Event = dict[str, Any]
Named = tuple[str, Event]

KINDS = 96
IMPATIENT = 4  # one line of so many waits for nobody, as all but the verdict do in a program
OWN = 50  # one line of so many is followed by a line of the application's own


def pool_of_depth(depth: int) -> PoolRecord:
    """A pool whose stack is so many frames deep."""
    origin = snapshots.frame(10 + depth, function=f"make_{depth}")
    frames = [origin]
    for number in range(depth):
        frames.append(snapshots.frame(number, f"/srv/shop/{'pack/' * (number % 5)}vüw.py", f"step_{number}"))
    return snapshots.pool(id=depth, name=f"shop-{depth}", created=Stack(tuple(frames), origin))


def real_events(seed: int) -> list[Named]:
    """Events as the agent builds them, short, long, and too long for a line."""
    chance = random.Random(seed)
    made: list[Named] = []
    while len(made) < KINDS:
        pool = pool_of_depth(chance.randrange(60))
        found: Finding = exit_delayed(pool, (3, 13, 0), "5.0", chance.choice(["", "PythonFinalizationError"]))
        name, event = chance.choice(
            (
                ("poolwitness.pool.opened", build.pool_opened(pool)),
                ("poolwitness.pool.closed", build.pool_closed(snapshots.closed(pool))),
                ("poolwitness.finding", build.finding(found)),
                ("poolwitness.finding.held_back", build.held_back(found, 7)),
                chance.choice([(name, samples.own_fields(event)) for name, event in samples.EVENTS_BY_NAME.items()]),
            )
        )
        if name != "poolwitness.verdict":
            event["message"] += " " + "sehr wichtig: ä " * chance.randrange(120)
            made.append((name, event))
    return made


class Remembering:
    """A renderer that keeps what it rendered last."""

    def __init__(self, render: Callable[[Event], bytes]) -> None:
        self.render = render
        self.line = b""

    def __call__(self, event: Event) -> bytes:
        """The event as one line."""
        self.line = self.render(event)
        return self.line


class Writer:
    """One of the writing processes.

    Args:
        output: as ``POOLWITNESS_OUTPUT`` names it: ``stderr`` or ``file:PATH``.
    """

    def __init__(self, output: str) -> None:
        config = Config.from_environ({"POOLWITNESS_OUTPUT": output, "POOLWITNESS_FORMAT": "json"})
        problems: list[str] = []
        self.pipeline = Pipeline(open_sinks(config, problems, {}, {}))
        (sink,) = self.pipeline.fd_sinks()
        assert isinstance(sink, FdSink) and not problems, problems
        self.sink = sink
        self.rendered = Remembering(sink.render)
        sink.render = self.rendered
        self.checksum = self.written = self.own = 0
        self.slowest_s = 0.0

    def write(self, name: str, event: Event, patience_s: float) -> bool:
        """Send one event through the pipeline; whether it was written."""
        lost = self.pipeline.lost
        self.pipeline.patience_s = patience_s
        began_mono = time.monotonic()
        self.pipeline.emit(name, event)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_mono - patience_s)
        if self.pipeline.lost != lost:
            return False
        self.checksum = crc32(self.rendered.line, self.checksum)
        self.written += 1
        return True

    def write_many(self, lines: int, known: list[Named]) -> None:
        """Write until so many lines are out, with lines of the application's own among them."""
        number = os.getpid()
        while self.written < lines:
            number += 1
            self.write(*known[number % len(known)], 0.0 if number % IMPATIENT == 0 else PATIENCE_S)
            if self.written >= OWN * (self.own + 1):
                self.own += 1
                own = f"shop {os.getpid()} {self.own} took an order {'x' * (self.own % 900)}\n"
                os.write(self.sink.fd, own.encode())

    def write_verdict(self) -> None:
        """Say what was lost, until somebody has heard it."""
        teller = Reporter(self.pipeline, Guard("report"))
        snapshot = snapshots.snapshot()
        while True:
            event = build.verdict(teller, {}, PoolTotals(), snapshot, "atexit", self.pipeline.lost)
            if self.write("poolwitness.verdict", event, PATIENCE_S):
                return

    def account(self) -> Event:
        """What the reader must find."""
        return {
            "written": self.written,
            "lost": self.pipeline.lost,
            "own": self.own,
            "checksum": self.checksum,
            "slowest_s": self.slowest_s,
        }


def main(processes: int, lines: int, output: str, folder: str) -> None:
    """Fork them, and end as the worst of them does."""
    known = [real_events(seed) for seed in range(8)]
    started = [_forked(lines, output, folder, known[number % 8]) for number in range(processes)]
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0 for pid in started)
    sys.exit(min(failed, 100))


def _forked(lines: int, output: str, folder: str, known: list[Named]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.alarm(1500)
        writer = Writer(output)
        writer.write_many(lines, known)
        while os.read(0, 1):
            pass
        writer.write_verdict()
        Path(folder, f"{writer.pipeline.run_id}.json").write_text(json.dumps({**writer.account(), "pid": os.getpid()}))
        status = 0
    except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
        Path(folder, f"{os.getpid()}.failed").write_text(traceback.format_exc())
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
