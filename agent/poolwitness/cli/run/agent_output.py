"""Read what the agents of a program's processes wrote for ``run --check``: one file of JSON lines per process."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


class ReportedFinding(NamedTuple):
    """One finding that was not resolved later."""

    rule: str
    name: str
    file: str
    line: int


@dataclass(slots=True)
class AgentOutput:
    """The unresolved findings, the time of the verdict by pid, all pids, and how many lines could not be read."""

    findings: list[ReportedFinding] = field(default_factory=list)
    verdict_at: dict[int, float] = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)
    unreadable: int = 0


def read_agent_output(directory: Path) -> AgentOutput:
    """Read every ``PID.jsonl`` of a directory.

    A line that is incomplete or not a JSON object is counted and skipped: a process may have been killed while it
    was writing.
    """
    output = AgentOutput()
    for path in sorted(directory.glob("*.jsonl")):
        unresolved: dict[tuple[str, str], list[ReportedFinding]] = defaultdict(list)
        for event in _events(path, output):
            pid = _integer(event.get("process.pid")) or _integer(path.stem)
            output.pids.add(pid)
            name = event.get("event")
            key = (str(event.get("poolwitness.fingerprint")), str(event.get("poolwitness.pool.id")))
            if name == "poolwitness.finding":
                unresolved[key].append(_finding(event))
            elif name == "poolwitness.finding.resolved" and unresolved[key]:
                unresolved[key].pop()
            elif name == "poolwitness.verdict":
                output.verdict_at[pid] = _epoch_seconds(event.get("timestamp"))
        for findings in unresolved.values():
            output.findings.extend(findings)
    return output


def _events(path: Path, output: AgentOutput) -> Iterator[dict[str, Any]]:
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
                    output.unreadable += 1
    except OSError:
        output.unreadable += 1


def _finding(event: dict[str, Any]) -> ReportedFinding:
    return ReportedFinding(
        rule=str(event.get("poolwitness.rule", "?")),
        name=str(event.get("poolwitness.rule_name", "")),
        file=str(event.get("code.file.path", "")),
        line=_integer(event.get("code.line.number")),
    )


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _epoch_seconds(timestamp: Any) -> float:
    """Seconds since the epoch of a timestamp such as 2026-11-22T16:54:00.123456Z; 0.0 if it is not one."""
    try:
        # Python 3.10's fromisoformat does not accept the Z.
        return datetime.fromisoformat(str(timestamp).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0
