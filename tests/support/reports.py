"""The report on some lines: only where DuckDB is installed."""

from __future__ import annotations

from pathlib import Path

from poolwitness.logreport.answers import Report, answer
from poolwitness.logreport.reading import read
from poolwitness.logreport.sources import sources
from poolwitness.logreport.store import Store


def report_of(folder: Path, content: bytes) -> Report:
    """The answers to one file."""
    (folder / "all.log").write_bytes(content)
    with Store() as store:
        return answer(store, read(sources([str(folder / "all.log")]), store))
