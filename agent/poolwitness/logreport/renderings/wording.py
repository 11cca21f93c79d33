"""Wording shared by the renderings: the verdict, a line of code, a time, what was skipped, a path in the repository."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import PurePosixPath, PureWindowsPath

from poolwitness.logreport.answers import MICROSECONDS, Fault, Report
from poolwitness.model.wording import plural, short_path

MAX_PATH_PARTS = 12
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
    """The report in one sentence."""
    totals = report.totals
    if not totals.events:
        stats = report.stats
        return f"nothing of poolwitness in {plural(stats.lines, 'line')} of {plural(stats.files, 'file')}"
    ran = plural_processes(totals.processes)
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


def status(report: Report) -> str:
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


def format_minute(at: int) -> str:
    """A time to the minute, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at / MICROSECONDS))


def format_timestamp(at: int) -> str:
    """A time to the microsecond, as in the agent's lines."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // MICROSECONDS))}.{at % MICROSECONDS:06d}Z"


def plural_processes(count: int) -> str:
    """``1 process``, ``2 processes``."""
    return "1 process" if count == 1 else f"{count} processes"


def scope(report: Report) -> str:
    """The period and the numbers of events, processes and files."""
    totals = report.totals
    if not totals.events:
        return ""
    return (
        f"{format_minute(totals.first_at)} to {format_minute(totals.last_at)} UTC: {plural(totals.events, 'event')} of "
        f"{plural_processes(totals.processes)} in {plural(report.stats.files, 'file')}"
    )


def skipped(report: Report) -> list[str]:
    """What was skipped and what the agents did not write, one sentence each."""
    stats, totals = report.stats, report.totals
    sentences = []
    for count, noun, reason in (
        (stats.other, "line", "not of poolwitness"),
        (stats.broken, "broken line", "what was left of an event: cut short, or mixed with another"),
        (stats.too_long, "line", "too long to be of poolwitness"),
        (stats.duplicates, "event", "there more than once, and counted once"),
    ):
        if count:
            sentences.append(f"{plural(count, noun)} passed over: {reason}")
    if stats.troubled:
        more = stats.troubled - len(stats.troubles)
        listed = "; ".join(stats.troubles) + (f"; and {more} more" if more else "")
        sentences.append(f"{plural(stats.troubled, 'file')} not read to the end: {listed}")
    if totals.suppressed:
        sentences.append(f"{plural(totals.suppressed, 'line')} held back by the agents, which write so many a minute")
    if totals.lines_lost:
        sentences.append(f"{plural(totals.lines_lost, 'line')} lost by the agents, which could not write them")
    if totals.faults > len(report.faults):
        sentences.append(
            f"{totals.faults - len(report.faults)} faults more: the {len(report.faults)} in most processes are shown"
        )
    return sentences


@lru_cache(maxsize=4096)
def repository_path(file: str) -> str:
    """A path relative to the working directory, which is taken for the root of the repository, with slashes.

    Args:
        file: as the program saw it, possibly in a container or on another system.

    Returns:
        Its longest suffix that is a file below the working directory; otherwise the path without its root.
    """
    windows = "\\" in file or file[1:3] == ":/"
    pure = PureWindowsPath(file) if windows else PurePosixPath(file)
    parts = [part for part in pure.parts if part not in (pure.anchor, "..", ".")]
    for start in range(max(0, len(parts) - MAX_PATH_PARTS), len(parts)):
        candidate = "/".join(parts[start:])
        try:
            if os.path.isfile(candidate):
                return candidate
        except ValueError:
            break
    return "/".join(parts) or "unknown"
