"""``--format sarif``: SARIF 2.1.0 for code scanning; the help of a rule is its page."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from poolwitness._version import __version__
from poolwitness.diagnose import pages
from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings import wording

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# GitHub's limits for a name and a description, and the largest number that Microsoft's reader accepts; a larger one
# makes it reject the whole file.
_MAX_NAME = 255
_MAX_DESCRIPTION = 1024
_MAX_INTEGER = 2**31 - 1
_PASCAL = re.compile(r"([A-Z][a-z0-9]+)+")
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PRECISION = {"proven": "very-high", "probable": "high", "suspected": "medium"}
_SEVERITY = {"error": "error", "warning": "warning", "info": "recommendation"}


def render(report: Report) -> str:
    """The unresolved faults, one result each."""
    rules = {_id(fault): fault for fault in sorted(report.unresolved, key=_id)}
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
        "results": [_result(fault, order[_id(fault)]) for fault in report.unresolved],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"


def _id(fault: Fault) -> str:
    return fault.rule.strip() or "unknown"


def _rule(fault: Fault) -> dict[str, Any]:
    code, name = _id(fault), fault.rule_name.strip()
    try:
        summary, page = pages.title(code)[1], pages.page(code)
    except KeyError:  # of a later release of the agent
        summary = page = name or code
    pascal = "".join(word.capitalize() for word in name.split("-"))
    is_friendly = _PASCAL.fullmatch(pascal) and len(pascal) <= _MAX_NAME and pascal.lower() != code.lower()
    return {
        "id": code,
        **({"name": pascal} if is_friendly else {}),
        "shortDescription": {"text": _sentence((name.replace("-", " ") or code)[: _MAX_DESCRIPTION - 1])},
        "fullDescription": {"text": _sentence(summary[: _MAX_DESCRIPTION - 1])},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": _LEVELS.get(fault.level, "warning")},
        "properties": {
            "tags": ["reliability", "database", "connection-pool"],
            "precision": _PRECISION.get(fault.confidence, "medium"),
            "problem.severity": _SEVERITY.get(fault.level, "warning"),
        },
    }


def _result(fault: Fault, index: int) -> dict[str, Any]:
    fix = _sentence(fault.fix)
    times = "once" if fault.findings == 1 else f"{fault.findings} times"
    processes, since = wording.plural_processes(fault.processes), wording.format_minute(fault.first_at)
    seen = f"Seen {times} in {processes} since {since} UTC."
    text = " ".join(part for part in (_sentence(fault.message), fix and f"To mend it: {fix}", seen) if part)
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(wording.repository_path(fault.file)), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": fault.line},
        },
        "logicalLocations": [{"fullyQualifiedName": fault.function or "<module>", "kind": "function"}],
    }
    return {
        "ruleId": _id(fault),
        "ruleIndex": index,
        "level": _LEVELS.get(fault.level, "warning"),
        # Text from a log must not become a link.
        "message": {"text": text.replace("](", "] (")},
        "locations": [location],
        "partialFingerprints": {"poolwitness/v1": fault.fingerprint},
        "occurrenceCount": min(fault.findings, _MAX_INTEGER),
        "properties": {"processes": fault.processes, "trend": fault.trend, "confidence": fault.confidence},
    }


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."
