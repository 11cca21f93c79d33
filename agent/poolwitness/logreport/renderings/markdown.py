"""``--format markdown``: for a CI job's summary or a comment."""

from __future__ import annotations

import re
from collections.abc import Sequence

from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings import wording

MAX_ROWS = 50
_HEAD = (
    "| rule | line of code | findings | processes | since | last week |",
    "| --- | --- | ---: | ---: | --- | --- |",
)


def render(report: Report) -> str:
    """The verdict, the tables, and what was skipped."""
    parts = [f"## poolwitness: {_text(wording.verdict(report))}"]
    if report.totals.events:
        parts.append(_text(wording.scope(report)) + ".")
    parts += _table("Lines of code that leak", report.leaks)
    parts += _table("Other faults", report.others)
    parts += _table("New or worse since last week", report.worse)
    parts += _table("Resolved", report.resolved)
    parts += [f"- {_text(sentence)}." for sentence in wording.skipped(report)]
    return "\n\n".join(parts) + "\n"


def _table(title: str, faults: Sequence[Fault]) -> list[str]:
    if not faults:
        return []
    rows = list(_HEAD)
    for fault in faults[:MAX_ROWS]:
        rows.append(
            f"| {_text(fault.rule)} {_text(fault.rule_name)} | {_code(wording.at_line(fault))} | {fault.findings} "
            f"| {fault.processes} | {wording.format_minute(fault.first_at)} | {fault.trend} |"
        )
    if len(faults) > MAX_ROWS:
        rows.append(f"| | and {len(faults) - MAX_ROWS} more | | | | |")
    return [f"### {title}", "\n".join(rows)]


def _text(text: str) -> str:
    # A zero-width space keeps @names from notifying people.
    return re.sub(r"([\\`*_{}\[\]<>|#~$&!])", r"\\\1", text.replace("\n", " ")).replace("@", "@\u200b")


def _code(text: str) -> str:
    # A backtick would end the code, and paths hardly ever contain one.
    inside = text.replace("|", "\\|").replace("\n", " ").replace("`", "'")
    return f"`{inside}`"
