"""At any moment a record is valid or invisible: after every write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.blackbox.kill import ROOT
from tests.support.programs import environment


@pytest.mark.slow
def test_it_can_be_read_after_every_write(tmp_path: Path, dsn: str) -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "tests.processes.blackbox.every_write"],
        cwd=ROOT,
        env=environment(
            POOLWITNESS="1",
            POOLWITNESS_OUTPUT="none",
            POOLWITNESS_BLACKBOX=str(tmp_path),
            POOLWITNESS_SWEEP_S="600",
            DSN=dsn,
        ),
        capture_output=True,
        timeout=240,
    )
    assert completed.returncode == 0, completed.stderr.decode()
    found = json.loads(completed.stdout)
    assert found["wrong"] == []
    assert found["writes"] > 150
