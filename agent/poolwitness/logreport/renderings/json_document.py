"""``--format json``: the whole report, for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from poolwitness.logreport.answers import Fault, Report, Totals
from poolwitness.logreport.renderings import wording

VERSION = "1.0"


def render(report: Report) -> str:
    """One JSON object, with a newline."""
    stats, totals = report.stats, _fields(report.totals)
    if not report.totals.events:
        totals.update(first_at=None, last_at=None)
    skipped = stats.other + stats.broken + stats.too_long + stats.duplicates
    document = {
        "version": VERSION,
        "verdict": wording.status(report),
        "message": wording.verdict(report),
        "totals": totals,
        "leaks": [fault.fingerprint for fault in report.leaks],
        "worse": [fault.fingerprint for fault in report.worse],
        "resolved": [fault.fingerprint for fault in report.resolved],
        "faults": [_fields(fault) for fault in report.faults],
        "timeline": report.timeline,
        "read": {**dataclasses.asdict(stats), "skipped": skipped},
    }
    return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _fields(row: Totals | Fault) -> dict[str, Any]:
    times = {name: wording.format_timestamp(getattr(row, name)) for name in ("first_at", "last_at")}
    return {**dataclasses.asdict(row), **times}
