"""The words that all renderings share: the verdict, a line, a moment, what was passed over."""

from __future__ import annotations

import time

from poolwitness.logreport.answers import MICROSECONDS, Fault, Report
from poolwitness.model.wording import plural, short_path

TRENDS = {
    "uncompared": "no earlier week to compare with",
    "new": "new since last week",
    "back": "seen again after a week without",
    "worse": "worse than the week before",
    "better": "better than the week before",
    "steady": "as in the week before",
    "gone": "gone: not seen for a week, though its pool was opened",
    "unseen": "not seen for a week, and nothing ran that would show it",
}


def verdict(report: Report) -> str:
    """The one sentence that says how it stands."""
    totals = report.totals
    if not totals.events:
        tally = report.tally
        return f"nothing of poolwitness in {plural(tally.lines, 'line')} of {plural(tally.files, 'file')}"
    ran = processes(totals.processes)
    if not totals.findings:
        return f"clean: nothing found in {ran} that opened {plural(totals.pools_opened, 'pool')}"
    open_faults = [*report.leaks, *report.others]
    if not open_faults:
        return f"resolved: {plural(totals.faults, 'fault')} seen in {ran}, and none of them stands any more"
    share = f"{totals.processes_with_findings} of {ran}"
    count = max(len(open_faults), totals.faults - len(report.resolved))
    parts = [f"{plural(count, 'fault')} in {share}"]
    if report.leaks:
        worst = report.leaks[0]
        parts.append(f"{plural(len(report.leaks), 'line')} of code leak{'s' if len(report.leaks) == 1 else ''}")
        parts.append(f"most of all {at_line(worst)} ({worst.rule} {worst.rule_name})")
    if report.worse:
        parts.append(f"{len(report.worse)} new or worse since last week")
    if report.resolved:
        parts.append(f"{len(report.resolved)} resolved")
    return "; ".join(parts)


def cleanness(report: Report) -> str:
    """``clean``, ``findings`` or ``nothing``."""
    if not report.totals.events:
        return "nothing"
    return "findings" if report.leaks or report.others else "clean"


def at_line(fault: Fault) -> str:
    """``file:line in function``."""
    if not fault.file:
        return "an unknown line"
    function = "" if fault.function.startswith("<module") or not fault.function else f" in {fault.function}"
    more = f" ({fault.places} lines)" if fault.places > 1 else ""
    return f"{short_path(fault.file)}:{fault.line}{function}{more}"


def moment(at: int) -> str:
    """A moment to the minute, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at / MICROSECONDS))


def exact(at: int) -> str:
    """A moment to the microsecond, as the agent writes it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // MICROSECONDS))}.{at % MICROSECONDS:06d}Z"


def processes(count: int) -> str:
    """``1 process``, ``2 processes``."""
    return "1 process" if count == 1 else f"{count} processes"


def span(report: Report) -> str:
    """What it is about, in numbers."""
    totals = report.totals
    if not totals.events:
        return ""
    return (
        f"{moment(totals.first_at)} to {moment(totals.last_at)} UTC: {plural(totals.events, 'event')} of "
        f"{processes(totals.processes)} in {plural(report.tally.files, 'file')}"
    )


def passed_over(report: Report) -> list[str]:
    """What was not taken, and what never arrived, a sentence each."""
    tally, totals = report.tally, report.totals
    told = []
    for count, noun, reason in (
        (tally.other, "line", "not of poolwitness"),
        (tally.broken, "broken line", "what was left of an event: cut short, or mixed with another"),
        (tally.too_long, "line", "too long to be of poolwitness"),
        (tally.duplicates, "event", "there more than once, and counted once"),
    ):
        if count:
            told.append(f"{plural(count, noun)} passed over: {reason}")
    if tally.troubled:
        more = tally.troubled - len(tally.troubles)
        listed = "; ".join(tally.troubles) + (f"; and {more} more" if more else "")
        told.append(f"{plural(tally.troubled, 'file')} not read to the end: {listed}")
    if totals.suppressed:
        told.append(f"{plural(totals.suppressed, 'line')} held back by the agents, which write so many a minute")
    if totals.lines_lost:
        told.append(f"{plural(totals.lines_lost, 'line')} lost by the agents, which could not write them")
    if totals.faults > len(report.faults):
        told.append(
            f"{totals.faults - len(report.faults)} faults more: the {len(report.faults)} in most processes are shown"
        )
    return told
