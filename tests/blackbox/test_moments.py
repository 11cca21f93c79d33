"""At any moment a record is valid or invisible: between two instructions, and within the one that packs it."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from poolwitness.blackbox import format as layout
from tests.blackbox.killing import ROOT
from tests.support.programs import environment


@pytest.mark.slow
def test_it_can_be_read_after_every_instruction(tmp_path: Path, dsn: str) -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "tests.blackbox.stepping"],
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
    assert found["contents"] > 150


@pytest.mark.parametrize("record", [layout.HOLD, layout.FRAME, layout.STACK])
def test_packing_clears_the_state_first_and_writes_it_last(record: struct.Struct) -> None:
    buffer = bytearray(b"\xff" * record.size)
    values: list[object] = [b"name" if kind == "s" else 1 for kind in record.format.lstrip("<").replace("40", "")]
    with pytest.raises(struct.error):
        record.pack_into(buffer, 0, *values[:-1], "no state")
    assert buffer[record.size - 1] == 0
    whole = bytearray(record.size)
    record.pack_into(whole, 0, *values[:-1], 0)
    assert buffer == whole
