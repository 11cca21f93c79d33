"""``--format sarif``: SARIF 2.1.0 for code scanning; a rule's help is its page."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from poolwitness import __version__
from poolwitness.diagnose import pages
from poolwitness.history import sentences
from poolwitness.history.answers import Fault, Report
from poolwitness.history.paths import in_repository

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PRECISION = {"proven": "very-high", "probable": "high", "suspected": "medium"}
_SEVERITY = {"error": "error", "warning": "warning", "info": "recommendation"}


def render(report: Report) -> str:
    """The faults that stand, one result each."""
    faults = [*report.leaks, *report.others]
    rules = {fault.rule: fault for fault in sorted(faults, key=lambda fault: fault.rule)}
    order = {code: number for number, code in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "poolwitness",
                "semanticVersion": __version__,
                "informationUri": "https://pypi.org/project/poolwitness/",
                "rules": [_rule(fault) for fault in rules.values()],
            }
        },
        "automationDetails": {"id": "poolwitness/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(fault, order[fault.rule]) for fault in faults],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"


def _rule(fault: Fault) -> dict[str, Any]:
    try:
        summary, page = pages.title(fault.rule)[1], pages.page(fault.rule)
    except KeyError:  # of a later release of the agent
        summary = page = fault.rule_name or fault.rule
    return {
        "id": fault.rule,
        "name": "".join(word.capitalize() for word in fault.rule_name.split("-")) or fault.rule,
        "shortDescription": {"text": _sentence(fault.rule_name.replace("-", " ") or fault.rule)},
        "fullDescription": {"text": _sentence(summary)},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": _LEVELS.get(fault.level, "warning")},
        "properties": {
            "tags": ["reliability", "database", "connection-pool"],
            "precision": _PRECISION.get(fault.confidence, "medium"),
            "problem.severity": _SEVERITY.get(fault.level, "warning"),
        },
    }


def _result(fault: Fault, index: int) -> dict[str, Any]:
    text = f"{_sentence(fault.message)} To mend it: {_sentence(fault.fix)} {_seen(fault)}"
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(in_repository(fault.file)), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": fault.line},
        },
        "logicalLocations": [{"fullyQualifiedName": fault.function or "<module>", "kind": "function"}],
    }
    return {
        "ruleId": fault.rule,
        "ruleIndex": index,
        "level": _LEVELS.get(fault.level, "warning"),
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"poolwitness/v1": fault.fingerprint},
        "occurrenceCount": fault.findings,
        "properties": {"processes": fault.processes, "trend": fault.trend, "confidence": fault.confidence},
    }


def _seen(fault: Fault) -> str:
    since = sentences.moment(fault.first_at)
    return f"Seen {fault.findings} times in {sentences.processes(fault.processes)} since {since} UTC."


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
