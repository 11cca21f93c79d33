"""``--format markdown``: for a job's summary or a comment."""

from __future__ import annotations

import re
from collections.abc import Sequence

from poolwitness.logreport import sentences
from poolwitness.logreport.answers import Fault, Report

MOST_ROWS = 50
_HEAD = (
    "| rule | line of code | findings | processes | since | last week |",
    "| --- | --- | ---: | ---: | --- | --- |",
)


def render(report: Report) -> str:
    """The verdict, the tables, and what was passed over."""
    parts = [f"## poolwitness: {_text(sentences.verdict(report))}"]
    if report.totals.events:
        parts.append(_text(sentences.span(report)) + ".")
    parts += _table("Lines of code that leak", report.leaks)
    parts += _table("Other faults", report.others)
    parts += _table("New or worse since last week", report.worse)
    parts += _table("Resolved", report.resolved)
    parts += [f"- {_text(sentence)}." for sentence in sentences.passed_over(report)]
    return "\n\n".join(parts) + "\n"


def _table(title: str, faults: Sequence[Fault]) -> list[str]:
    if not faults:
        return []
    rows = list(_HEAD)
    for fault in faults[:MOST_ROWS]:
        rows.append(
            f"| {_text(fault.rule)} {_text(fault.rule_name)} | {_code(sentences.at_line(fault))} | {fault.findings} "
            f"| {fault.processes} | {sentences.moment(fault.first_at)} | {fault.trend} |"
        )
    if len(faults) > MOST_ROWS:
        rows.append(f"| | and {len(faults) - MOST_ROWS} more | | | | |")
    return [f"### {title}", "\n".join(rows)]


def _text(text: str) -> str:
    # A zero-width space keeps @names from calling people.
    return re.sub(r"([\\`*_{}\[\]<>|#~$&!])", r"\\\1", text.replace("\n", " ")).replace("@", "@\u200b")


def _code(text: str) -> str:
    # No fence is safe from what is in a log; a path can do without backticks.
    inside = text.replace("|", "\\|").replace("\n", " ").replace("`", "'")
    return f"`{inside}`"
