"""What the benchmark reads is what an agent could have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("duckdb")

from benchmarks import fleet
from poolwitness.logreport.answers import build_report as answer
from poolwitness.logreport.reading.reader import read_sources as read
from poolwitness.logreport.reading.sources import find_sources as sources
from poolwitness.logreport.store import Store
from tests.support.validation import validate


def test_the_fleets_lines_are_events_of_the_schema_and_all_are_read(tmp_path: Path) -> None:
    fleet.write(tmp_path, files=3, processes=9, events=9 * 120)
    events = [
        json.loads(line)
        for path in sorted(tmp_path.iterdir())
        for line in path.read_text(encoding="ascii").splitlines()
        if line.startswith("{")
    ]
    for event in events:
        validate(event)
    with Store() as store:
        report = answer(store, read(sources([str(tmp_path)]), store))
    assert (report.stats.events, report.stats.broken, report.stats.duplicates) == (9 * 120, 0, 0)
    assert (report.totals.processes, report.totals.verdicts) == (9, 8)
    opened = sum(event["event"] == "poolwitness.pool.opened" for event in events)
    assert report.totals.pools_opened == opened > 9 * 120 * 0.4
    assert report.totals.findings == sum(event["event"] == "poolwitness.finding" for event in events) > 0
