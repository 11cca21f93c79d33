"""One run of the suite in a process of its own, and what became of each test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import poolwitness

_PLUGIN = Path(__file__).parent / "plugin"
_SITE = Path(poolwitness.__file__).parent / "site"
_LONGEST_RUN_S = 1800


@dataclass(frozen=True)
class Run:
    """What one run of pytest did.

    ``outcomes`` maps a test's id to a word, ``passed``, ``skipped``, ``failed`` or ``error at teardown``;
    ``texts`` has what pytest said of those that did not pass; ``events`` is what the agent wrote.
    """

    outcomes: dict[str, str]
    texts: dict[str, str]
    events: list[dict[str, object]] = field(default_factory=list)

    @property
    def agent_failures(self) -> list[str]:
        """Why this run says nothing about the agent: it was not there, or a part of it was off."""
        names = [str(event["event"]) for event in self.events]
        failures = [
            str(event["message"]) for event in self.events if event["event"] == "poolwitness.agent.part_disabled"
        ]
        if "poolwitness.agent.started" not in names:
            failures.append("the agent did not start")
        if "poolwitness.verdict" not in names:
            failures.append("the agent gave no verdict")
        return failures


@dataclass(frozen=True)
class Suite:
    """A checkout of psycopg whose pool tests are run.

    Args:
        checkout: its root.
        dsn: a scratch database, reached by TCP.
        select: an expression for ``pytest -k``; empty for all.
    """

    checkout: Path
    dsn: str
    select: str = ""

    def run(self, level: str | None, only: Sequence[str] = ()) -> Run:
        """Run the tests once.

        Args:
            level: the agent's level; None runs without it.
            only: ids of tests; none for all.

        Raises:
            RuntimeError: pytest could not run the tests at all.
        """
        with tempfile.TemporaryDirectory(prefix="pw") as scratch:
            outcomes_file = Path(scratch, "outcomes.jsonl")
            command = [sys.executable, "-m", "pytest", *(only or ["tests/pool"])]
            # Its own order each time, and a cache that is not written into the checkout.
            command += ["-q", "-p", "suite_outcomes", "-p", "no:randomly", "-o", f"cache_dir={scratch}/cache"]
            if self.select and not only:
                command += ["-k", self.select]
            done = subprocess.run(
                command,
                cwd=self.checkout,
                env=self._environ(level, Path(scratch), outcomes_file),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_LONGEST_RUN_S,
                check=False,
            )
            if done.returncode not in (0, 1) or not outcomes_file.exists():
                said = done.stdout[-3000:]
                raise RuntimeError(f"pytest ended with {done.returncode} in {self.checkout}:\n{said}")
            outcomes, texts = _read_outcomes(outcomes_file)
            return Run(outcomes, texts, _read_events(Path(scratch)))

    def _environ(self, level: str | None, scratch: Path, outcomes_file: Path) -> dict[str, str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("POOLWITNESS")}
        path = [str(self.checkout / "psycopg_pool"), str(_PLUGIN)]
        environ["PSYCOPG_TEST_DSN"] = self.dsn
        environ["SUITE_OUTCOMES_FILE"] = str(outcomes_file)
        # A test runs `mypy`, the one beside this interpreter.
        environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", "")])
        if level is not None:
            path.insert(0, str(_SITE))
            environ["POOLWITNESS"] = "1"
            environ["POOLWITNESS_LEVEL"] = level
            environ["POOLWITNESS_OUTPUT"] = f"file:{scratch}/agent.%p.jsonl"
            environ["POOLWITNESS_SWEEP_S"] = "0.5"
        environ["PYTHONPATH"] = os.pathsep.join(path)
        return environ


def _read_outcomes(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    outcomes: dict[str, str] = {}
    texts: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        test, outcome = row["id"], row["outcome"]
        if outcome == "failed" and row["phase"] != "call":
            outcome = f"error at {row['phase']}"
        # A phase that merely passed says nothing beside one that did not.
        if outcomes.get(test, "passed") == "passed":
            outcomes[test] = outcome
        elif outcome != "passed":
            outcomes[test] += f", {outcome}"
        if outcome != "passed":
            texts[test] = texts.get(test, "") + row["text"]
    return outcomes, texts


def _read_events(scratch: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for file in sorted(scratch.glob("agent.*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
