"""The report on some lines: only where DuckDB is installed."""

from __future__ import annotations

from pathlib import Path

from poolwitness.logreport.answers import Report, build_report
from poolwitness.logreport.reading.reader import read_sources
from poolwitness.logreport.reading.sources import find_sources
from poolwitness.logreport.store import Store


def report_of(folder: Path, content: bytes) -> Report:
    """The answers to one file."""
    (folder / "all.log").write_bytes(content)
    with Store() as store:
        return build_report(store, read_sources(find_sources([str(folder / "all.log")]), store))
