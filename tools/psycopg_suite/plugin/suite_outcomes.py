"""A pytest plugin that writes one JSON line a test phase, for the process that started pytest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_FILE = Path(os.environ["SUITE_OUTCOMES_FILE"])


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append what became of one phase."""
    outcome = f"x{report.outcome}" if hasattr(report, "wasxfail") else report.outcome
    row = {"id": report.nodeid, "phase": report.when, "outcome": outcome, "text": report.longreprtext}
    with _FILE.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")
