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
    if not report.unresolved:
        return f"resolved: {plural(totals.faults, 'fault')} seen in {ran}, and none of them stands any more"
    share = f"{totals.processes_with_findings} of {ran}"
    count = max(len(report.unresolved), totals.faults - len(report.resolved))
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
    return "findings" if report.unresolved else "clean"


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
    return (
        f"{format_minute(totals.first_at)} to {format_minute(totals.last_at)} UTC: {plural(totals.events, 'event')} of "
        f"{plural_processes(totals.processes)} in {plural(report.stats.files, 'file')}"
    )


def skipped(report: Report) -> list[str]:
    """What was skipped and what the agents did not write, one sentence each."""
    stats, totals = report.stats, report.totals
    troubles = "; ".join(stats.troubles)
    if stats.troubled > len(stats.troubles):
        troubles += f"; and {stats.troubled - len(stats.troubles)} more"
    counts = (
        (stats.other, "line", "passed over: not of poolwitness"),
        (stats.broken, "broken line", "passed over: what was left of an event: cut short, or mixed with another"),
        (stats.too_long, "line", "passed over: too long to be of poolwitness"),
        (stats.duplicates, "event", "passed over: there more than once, and counted once"),
        (stats.troubled, "file", f"not read to the end: {troubles}"),
        (totals.suppressed, "line", "held back by the agents, which write so many a minute"),
        (totals.lines_lost, "line", "lost by the agents, which could not write them"),
    )
    sentences = [f"{plural(count, noun)} {what}" for count, noun, what in counts if count]
    shown = len(report.faults)
    if totals.faults > shown:
        sentences.append(f"{totals.faults - shown} faults more: the {shown} in most processes are shown")
    return sentences


@lru_cache(maxsize=4096)
def repository_path(file: str) -> str:
    """A file's path from the working directory, which is taken for the root of the repository, with slashes.

    The program may have seen the file in a container or on another system. So this is the path's longest suffix that is
    a file below the working directory; otherwise the path without its root.
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
