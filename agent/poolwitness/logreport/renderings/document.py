"""``--format json``: every answer, for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from poolwitness.logreport import sentences
from poolwitness.logreport.answers import Fault, Report

VERSION = "1.0"


def render(report: Report) -> str:
    """One JSON object, with a newline."""
    totals = dataclasses.asdict(report.totals)
    for name in ("first_at", "last_at"):
        totals[name] = sentences.exact(totals[name]) if report.totals.events else None
    document = {
        "version": VERSION,
        "verdict": sentences.cleanness(report),
        "message": sentences.verdict(report),
        "totals": totals,
        "leaks": [fault.fingerprint for fault in report.leaks],
        "worse": [fault.fingerprint for fault in report.worse],
        "resolved": [fault.fingerprint for fault in report.resolved],
        "faults": [_fault(fault) for fault in report.faults],
        "timeline": [dataclasses.asdict(step) for step in report.timeline],
        "read": {**dataclasses.asdict(report.tally), "skipped": report.tally.skipped},
    }
    return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _fault(fault: Fault) -> dict[str, Any]:
    found = dataclasses.asdict(fault)
    found.update(first_at=sentences.exact(fault.first_at), last_at=sentences.exact(fault.last_at))
    return found
