"""``--format console``: the report as tables, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings import wording

MAX_ROWS = 20
_WIDTH = 160  # in a file or a pipe
_COLORS = {"clean": "bold green", "findings": "bold red", "nothing": "bold yellow"}
_TRENDS = {"new": "red", "back": "red", "worse": "red", "better": "green", "gone": "green"}

# A column: its heading, and what it shows of a fault.
Column = tuple[str, Callable[[Fault], Any]]
_COMMON: tuple[Column, ...] = (
    ("rule", lambda fault: f"{fault.rule} {fault.rule_name}"),
    ("line of code", wording.at_line),
)
_FAULTS: tuple[Column, ...] = (
    ("findings", lambda fault: fault.findings),
    ("processes", lambda fault: fault.processes),
    ("since", lambda fault: wording.format_minute(fault.first_at)),
    ("last week", lambda fault: Text(fault.trend, _TRENDS.get(fault.trend, ""))),
)
_WORSE: tuple[Column, ...] = (
    ("last week", lambda fault: fault.findings_now),
    ("week before", lambda fault: fault.findings_before),
    ("of processes", lambda fault: f"{fault.processes_now} of {fault.ran_now}"),
)
_RESOLVED: tuple[Column, ...] = (
    ("findings", lambda fault: fault.findings),
    ("came back", lambda fault: fault.came_back),
    ("last seen", lambda fault: wording.format_minute(fault.last_at)),
)
_NUMBERS = ("findings", "processes", "came back", "week before", "of processes")


def render(report: Report, out: IO[str]) -> None:
    """Print the report; if *out* is a terminal, its width is used."""
    width = None if out.isatty() else _WIDTH
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False)
    console.print(Text(wording.verdict(report), _COLORS[wording.status(report)]))
    if report.totals.events:
        console.print(Text(wording.scope(report), "dim"))
    _table(console, "Lines of code that leak", report.leaks, _FAULTS)
    _table(console, "Other faults", report.others, _FAULTS)
    _table(console, "New or worse since last week", report.worse, _WORSE)
    _table(console, "Resolved", report.resolved, _RESOLVED)
    skipped = wording.skipped(report)
    if skipped:
        console.print()
    for sentence in skipped:
        console.print(Text(f"{sentence}.", "dim"))
    if report.unresolved:
        console.print()
        console.print(Text(f"How to mend it: poolwitness explain {report.unresolved[0].rule}"))


def _table(console: Console, title: str, faults: Sequence[Fault], columns: tuple[Column, ...]) -> None:
    if not faults:
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading, _ in (*_COMMON, *columns):
        fold = heading == "line of code"
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", overflow="fold", no_wrap=not fold)
    for fault in faults[:MAX_ROWS]:
        cells = (value_of(fault) for _, value_of in (*_COMMON, *columns))
        # Only as Text: a string could contain markup.
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells))
    console.print()
    console.print(table)
    if len(faults) > MAX_ROWS:
        console.print(Text(f"and {len(faults) - MAX_ROWS} more: --format json has them all", "dim"))
