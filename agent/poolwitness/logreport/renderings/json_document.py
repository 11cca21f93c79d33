"""``--format json``: the whole report, for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings import wording

VERSION = "1.0"


def render(report: Report) -> str:
    """One JSON object, with a newline."""
    totals = dataclasses.asdict(report.totals)
    for name in ("first_at", "last_at"):
        totals[name] = wording.format_timestamp(totals[name]) if report.totals.events else None
    document = {
        "version": VERSION,
        "verdict": wording.status(report),
        "message": wording.verdict(report),
        "totals": totals,
        "leaks": [fault.fingerprint for fault in report.leaks],
        "worse": [fault.fingerprint for fault in report.worse],
        "resolved": [fault.fingerprint for fault in report.resolved],
        "faults": [_fault(fault) for fault in report.faults],
        "timeline": [dataclasses.asdict(step) for step in report.timeline],
        "read": {**dataclasses.asdict(report.stats), "skipped": report.stats.skipped},
    }
    return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _fault(fault: Fault) -> dict[str, Any]:
    found = dataclasses.asdict(fault)
    found.update(first_at=wording.format_timestamp(fault.first_at), last_at=wording.format_timestamp(fault.last_at))
    return found
