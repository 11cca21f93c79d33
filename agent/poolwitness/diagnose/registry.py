"""Run every rule over a snapshot and leave out what the user asked to ignore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatch

from poolwitness.config import Config
from poolwitness.diagnose import capacity, crossings, exhaustion, lifecycle, workers
from poolwitness.diagnose import checkouts as connections
from poolwitness.diagnose import known_defects as versions
from poolwitness.diagnose import shutdown as ending
from poolwitness.model.findings import Finding
from poolwitness.model.records import Snapshot
from poolwitness.model.wording import short_path

RuleFunction = Callable[[Snapshot], Iterator[Finding]]

RULE_FUNCTIONS: tuple[RuleFunction, ...] = (
    crossings.crossed_fork,
    crossings.crossed_loops,
    lifecycle.dropped_open,
    lifecycle.never_closed,
    lifecycle.used_after_close,
    lifecycle.async_opened_in_constructor,
    lifecycle.crowd,
    connections.lost,
    connections.held_long,
    connections.not_returned,
    connections.incidents,
    connections.adapters_outside_configure,
    exhaustion.exhausted,
    capacity.slots_unaccounted,
    capacity.connect_failing,
    capacity.connect_slow,
    workers.worker_died,
    workers.worker_stuck,
    ending.exit_hung,
    versions.known_defect,
)


def examine(snapshot: Snapshot, config: Config) -> tuple[list[Finding], list[Finding]]:
    """What the rules say of a snapshot.

    Returns:
        The findings that count, and those that are ignored on the user's word.
    """
    kept: list[Finding] = []
    ignored: list[Finding] = []
    for rule in RULE_FUNCTIONS:
        for finding in rule(snapshot):
            if is_ignored(finding, config.ignore):
                ignored.append(finding)
            else:
                kept.append(finding)
    return kept, ignored


def is_ignored(finding: Finding, patterns: tuple[str, ...]) -> bool:
    """Whether one of POOLWITNESS_IGNORE's words names this finding: RULE, RULE:glob-of-file, or a fingerprint.

    A connection that is held may have been taken by a context manager: the file of who uses that names it as well.
    """
    codes = [finding.rule.code]
    if finding.rule.code == "PW102" and finding.extra.get("poolwitness.holder_alive"):
        # Held for long by design is held to the end by design.
        codes.append("PW103")
    frames = [finding.at]
    if finding.rule.code in ("PW102", "PW103") and finding.stack is not None:
        frames.append(finding.stack.holding)
    files = [name for frame in frames if frame is not None for name in (frame.file, short_path(frame.file))]
    for pattern in patterns:
        code, separator, glob = pattern.partition(":")
        if not separator:
            if code.upper() in codes or code.lower() in (finding.rule.name, finding.fingerprint):
                return True
        elif code.upper() in codes and any(fnmatch(file, glob) for file in files):
            return True
    return False
