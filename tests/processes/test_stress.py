"""Three seconds of ``tools/stress`` in each mode: no error, no lost record, no growth."""

from __future__ import annotations

import pytest

from tools.stress.runs import MODES, growth, run

SECONDS = 3.0
# What is made and dropped at any moment: the queue of the pool, the tasks that wait, their stacks.
MOST_BLOCKS = 3_000
MOST_BYTES = 3 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_full_speed(mode: str, dsn: str) -> None:
    result = run(mode, SECONDS, dsn, active=True)
    assert result.troubles == []
    assert result.cycles > 1_000
    assert growth(result.allocated_blocks) < MOST_BLOCKS
    assert growth(result.memory_bytes) < MOST_BYTES
