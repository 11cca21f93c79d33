"""Kill a busy program, and hold its black box against its journal."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import tests
from poolwitness.blackbox import reader
from poolwitness.blackbox.reader import DeadProcess
from poolwitness.cli.postmortem import events_of
from tests.processes.blackbox.journal import ASKING, CLOSING, GIVING_BACK, HAS, MADE, MAKING, Journal, Page
from tests.support.programs import environment

ROOT = Path(next(iter(tests.__path__))).parent


class Victim:
    """One process that runs `busy_program` with a black box.

    Args:
        folder: where its journal and its black box are made.
        dsn: its database.
        module: another program that keeps a journal.
        settings: more environment variables.
    """

    def __init__(
        self, folder: Path, dsn: str, module: str = "tests.processes.blackbox.busy_program", **settings: str
    ) -> None:
        self.boxes = folder / "boxes"
        self.journal = Journal(folder / "journal", fresh=True)
        variables = {
            "POOLWITNESS": "1",
            "POOLWITNESS_OUTPUT": "none",
            "POOLWITNESS_BLACKBOX": str(self.boxes),
            "POOLWITNESS_SWEEP_S": "0.05",
            "DSN": dsn,
            **settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder / "journal")],
            cwd=ROOT,
            env=environment(**variables),
            stdout=subprocess.PIPE,
        )

    def kill(self, after_s: float) -> None:
        """Wait until it says that it is ready, and for some time after that, and kill it."""
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            said = stdout.readline()
            time.sleep(after_s)
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        assert said == b"ready\n", said
        assert self.process.returncode == -signal.SIGKILL


def remains_in(boxes: Path) -> DeadProcess:
    """What the one file of a directory tells."""
    (path,) = reader.paths(str(boxes))
    left = reader.read(path)
    assert left is not None
    return left


def compare(remains: DeadProcess, pages: list[Page]) -> list[str]:
    """Hold what is told against what was acknowledged.

    Returns:
        A sentence for everything that is missing, and for everything that is invented.
    """
    told = list(events_of(remains, []))
    pools = {event["db.client.connection.pool.name"]: event for name, event in told if name == "poolwitness.pool.state"}
    out = {event["poolwitness.holder"]: event for name, event in told if name == "poolwitness.holder"}
    waiting = {event["poolwitness.holder"]: event for name, event in told if name == "poolwitness.request"}
    wrong = []
    if len(out) != sum(name == "poolwitness.holder" for name, _ in told):
        wrong.append(f"two connections of one holder: {told}")
    made = [page for page in pages if page.name == page.pool]
    takers = [page for page in pages if page.name != page.pool]
    for page in made:
        event = pools.pop(page.pool, None)
        if event is None:
            wrong += [f"missing pool: {page}"] * (page.state == MADE)
        elif page.state not in (MAKING, MADE, CLOSING):
            wrong.append(f"pool that was closed: {page} {event}")
        elif event["poolwitness.pool.state"] != "open" and page.state == MADE:
            wrong.append(f"pool in another state: {page} {event}")
        elif not _stands(event, page, "busy_program.py"):
            wrong.append(f"pool of another line: {page} {event}")
    wrong += [f"invented pool: {name}" for name in pools]
    for page in takers:
        event = out.pop(page.name, None)
        if event is None:
            wrong += [f"missing checkout: {page}"] * (page.state == HAS)
        elif page.state not in (ASKING, HAS, GIVING_BACK):
            wrong.append(f"checkout that was returned: {page} {event}")
        elif event["db.client.connection.pool.name"] != page.pool or not _stands(event, page, "busy_program.py"):
            wrong.append(f"checkout of another pool or line: {page} {event}")
        event = waiting.pop(page.name, None)
        if event is not None and (page.state != ASKING or not _stands(event, page, "busy_program.py")):
            wrong.append(f"request that does not wait: {page} {event}")
    # A maker uses the pool that it has made, and does not say so.
    used = {page.pool for page in made if page.state in (MADE, CLOSING)}
    for event in (*out.values(), *waiting.values()):
        if not event["poolwitness.holder"].startswith("maker-") or event["db.client.connection.pool.name"] not in used:
            wrong.append(f"invented: {event}")
    return wrong


def _stands(event: dict[str, Any], page: Page, file: str) -> bool:
    line, path = event["code.line.number"], str(event["code.file.path"])
    return bool(line == page.line) and os.path.basename(path) == file


def moment_s(number: int) -> float:
    """When to kill: at random, but the same again in the next run."""
    return random.Random(number).random() * 0.25
