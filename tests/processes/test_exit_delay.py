"""The 4 minutes of psycopg issue 930: twelve pools that nobody closes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import strict

PROGRAM = """\
import os
from psycopg_pool import ConnectionPool

pools = [ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers={workers}) for _ in range(12)]
for pool in pools:
    pool.wait()
"""


def run(tmp_path: Path, dsn: str, workers: int, **settings: str) -> tuple[list[dict[str, Any]], float]:
    """The agent's lines, and the seconds from the verdict to the end of the process."""
    program = tmp_path / "twelve.py"
    program.write_text(PROGRAM.format(workers=workers))
    env = {name: value for name, value in os.environ.items() if not name.startswith("POOLWITNESS")}
    env |= {"DSN": dsn, "POOLWITNESS": "1", **settings}
    done = subprocess.run([sys.executable, str(program)], env=env, capture_output=True, text=True, check=False)
    ended = time.time()
    assert done.returncode == 0, done.stderr
    lines = [strict(line.encode()) for line in done.stderr.splitlines(keepends=True) if line.startswith('{"timestamp"')]
    verdict = next(line for line in lines if line["event"] == "poolwitness.verdict")
    return lines, ended - datetime.fromisoformat(verdict["timestamp"].replace("Z", "+00:00")).timestamp()


def rule(lines: list[dict[str, Any]], code: str) -> list[dict[str, Any]]:
    """The findings of one rule."""
    return [line for line in lines if line.get("poolwitness.rule") == code]


@pytest.mark.matrix
def test_closed_at_exit_they_cost_nothing(tmp_path: Path, dsn: str) -> None:
    lines, exit_s = run(tmp_path, dsn, workers=3, POOLWITNESS_CLOSE="1")
    assert len(rule(lines, "PW001")) == 12
    assert not rule(lines, "PW003")
    assert sum(line["event"] == "poolwitness.pool.closed" for line in lines) == 12
    # Each of the 48 threads would take 5 s on Python 3.13; this is far from both, for a machine that is busy.
    assert exit_s < 4.0


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="only Python 3.13 waits")
@pytest.mark.timeout(400)
def test_the_seconds_told_are_those_lost(tmp_path: Path, dsn: str) -> None:
    lines, exit_s = run(tmp_path, dsn, workers=1)
    told = [line["poolwitness.exit_delay_s"] for line in rule(lines, "PW003")]
    assert len(told) == 12
    assert sum(told) == pytest.approx(exit_s, rel=0.1)
    assert rule(lines, "PW003")[-1]["poolwitness.exit_delay_total_s"] == pytest.approx(sum(told), rel=0.01)
