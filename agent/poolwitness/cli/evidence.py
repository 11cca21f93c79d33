"""What a program's processes left in the directory of ``run --check``: one file of JSON lines each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """One finding that stands: it was told and not taken back."""

    rule: str
    name: str
    file: str
    line: int
    pid: int


@dataclass(slots=True)
class Evidence:
    """What was read: the findings that stand, the verdicts by process, and what could not be read."""

    findings: list[Told] = field(default_factory=list)
    verdict_at: dict[int, float] = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)
    unreadable: int = 0


def read(directory: Path) -> Evidence:
    """Read every ``PID.jsonl`` of a directory.

    A line that was cut off, or is not a JSON object, is counted and passed over: a process may have been
    killed in the middle of it.

    Args:
        directory: where the agent wrote.

    Returns:
        The evidence; empty where no process wrote anything.
    """
    evidence = Evidence()
    for path in sorted(directory.glob("*.jsonl")):
        standing: dict[tuple[str, str], list[Told]] = {}
        for event in _events(path, evidence):
            pid = _integer(event.get("process.pid")) or _integer(path.stem)
            evidence.pids.add(pid)
            kind = event.get("event")
            story = (str(event.get("poolwitness.fingerprint")), str(event.get("poolwitness.pool.id")))
            if kind == "poolwitness.finding":
                standing.setdefault(story, []).append(_told(event, pid))
            elif kind == "poolwitness.finding.resolved":
                if standing.get(story):
                    standing[story].pop()
            elif kind == "poolwitness.verdict":
                evidence.verdict_at[pid] = _seconds(event.get("timestamp"))
        for told in standing.values():
            evidence.findings.extend(told)
    return evidence


def _events(path: Path, evidence: Evidence) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    event = None
                if isinstance(event, dict):
                    yield event
                elif line.strip():
                    evidence.unreadable += 1
    except OSError:
        evidence.unreadable += 1


def _told(event: dict[str, Any], pid: int) -> Told:
    return Told(
        rule=str(event.get("poolwitness.rule", "?")),
        name=str(event.get("poolwitness.rule_name", "")),
        file=str(event.get("code.file.path", "")),
        line=_integer(event.get("code.line.number")),
        pid=pid,
    )


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _seconds(timestamp: Any) -> float:
    """Seconds since the epoch of a timestamp such as 2026-11-22T16:54:00.123456Z; 0.0 where it is none."""
    try:
        # Python 3.10's fromisoformat knows no Z.
        return datetime.fromisoformat(str(timestamp).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0
