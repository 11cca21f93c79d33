"""What the teller does when it cannot tell."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from poolwitness.guards import Guard
from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.sinks import FdSink
from poolwitness.runtime.reporter import Reporter


def test_the_last_line_says_that_there_will_be_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines"
    sink = FdSink("file", os.open(path, os.O_WRONLY | os.O_CREAT), render_json)
    pipeline = Pipeline([sink])
    teller = Reporter(pipeline, Guard("report"))
    teller.emit("poolwitness.one", {"message": "before"})
    monkeypatch.setattr(pipeline, "_logger", None)
    teller.emit("poolwitness.two", {"message": "cannot be told"})
    teller.emit("poolwitness.three", {"message": "is not told any more"})
    pipeline.close()
    first, last = map(json.loads, path.read_text().splitlines())
    assert first["event"] == "poolwitness.one"
    assert last["event"] == "poolwitness.agent.part_disabled"
    assert last["poolwitness.part"] == "report"
    assert last["poolwitness.seq"] == first["poolwitness.seq"] + 1
    assert "AttributeError at emit" in last["message"]
