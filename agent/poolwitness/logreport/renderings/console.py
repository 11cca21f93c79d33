"""``--format console``: the report as tables, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings import wording

MAX_ROWS = 20
_WIDTH = 160  # in a file or a pipe
_COLORS = {"clean": "bold green", "findings": "bold red", "nothing": "bold yellow"}
_TRENDS = {"new": "red", "back": "red", "worse": "red", "better": "green", "gone": "green"}


def render(report: Report, out: IO[str]) -> None:
    """Print the report.

    Args:
        report: what to print.
        out: where to print; if it is a terminal, its width is used.
    """
    terminal = out.isatty()
    console = Console(file=out, width=None if terminal else _WIDTH, highlight=False, emoji=False, markup=False)
    console.print(Text(wording.verdict(report), _COLORS[wording.status(report)]))
    if report.totals.events:
        console.print(Text(wording.scope(report), "dim"))
    _faults(console, "Lines of code that leak", report.leaks)
    _faults(console, "Other faults", report.others)
    _worse(console, report)
    _resolved(console, report)
    skipped = wording.skipped(report)
    if skipped:
        console.print()
    for sentence in skipped:
        console.print(Text(f"{sentence}.", "dim"))
    if open_faults := [*report.leaks, *report.others]:
        console.print()
        console.print(Text(f"How to mend it: poolwitness explain {open_faults[0].rule}"))


def _faults(console: Console, title: str, faults: Sequence[Fault]) -> None:
    table = _table(title, "rule", "line of code", "findings", "processes", "since", "last week")
    for fault in faults[:MAX_ROWS]:
        table.add_row(
            _rule(fault),
            Text(wording.at_line(fault)),
            Text(str(fault.findings)),
            Text(str(fault.processes)),
            Text(wording.format_minute(fault.first_at)),
            Text(fault.trend, _TRENDS.get(fault.trend, "")),
        )
    _show(console, table, len(faults))


def _worse(console: Console, report: Report) -> None:
    table = _table("New or worse since last week", "rule", "line of code", "last week", "week before", "of processes")
    for fault in report.worse[:MAX_ROWS]:
        table.add_row(
            _rule(fault),
            Text(wording.at_line(fault)),
            Text(str(fault.findings_now)),
            Text(str(fault.findings_before)),
            Text(f"{fault.processes_now} of {fault.ran_now}"),
        )
    _show(console, table, len(report.worse))


def _resolved(console: Console, report: Report) -> None:
    table = _table("Resolved", "rule", "line of code", "findings", "came back", "last seen")
    for fault in report.resolved[:MAX_ROWS]:
        table.add_row(
            _rule(fault),
            Text(wording.at_line(fault)),
            Text(str(fault.findings)),
            Text(str(fault.came_back)),
            Text(wording.format_minute(fault.last_at)),
        )
    _show(console, table, len(report.resolved))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        numbers = column in ("findings", "processes", "came back", "week before", "of processes")
        fold = column == "line of code"
        table.add_column(column, justify="right" if numbers else "left", overflow="fold", no_wrap=not fold)
    return table


def _show(console: Console, table: Table, count: int) -> None:
    if count:
        console.print()
        console.print(table)
    if count > MAX_ROWS:
        console.print(Text(f"and {count - MAX_ROWS} more: --format json has them all", "dim"))


def _rule(fault: Fault) -> Text:
    return Text(f"{fault.rule} {fault.rule_name}")
