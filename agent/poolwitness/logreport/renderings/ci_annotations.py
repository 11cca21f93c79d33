"""``--format github`` and ``--format gitlab``: the unresolved faults as annotations at their lines of code."""

from __future__ import annotations

import json

from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings.wording import repository_path

_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}
_GITLAB = {"error": "critical", "warning": "major", "info": "info"}


def github(report: Report) -> str:
    """GitHub workflow commands, one per fault."""
    return "".join(map(_command, [*report.leaks, *report.others]))


def gitlab(report: Report) -> str:
    """A GitLab Code Quality report."""
    issues = [
        {
            "description": f"{fault.rule}: {fault.message}; {fault.fix}",
            "check_name": fault.rule_name or fault.rule,
            "fingerprint": fault.fingerprint,
            "severity": _GITLAB.get(fault.level, "major"),
            "location": {"path": repository_path(fault.file), "lines": {"begin": fault.line}},
        }
        for fault in [*report.leaks, *report.others]
    ]
    return json.dumps(issues, indent=1) + "\n"


def _command(fault: Fault) -> str:
    file, title = _property(repository_path(fault.file)), _property(f"{fault.rule} {fault.rule_name}")
    text = _data(f"{fault.message}\nTo mend it: {fault.fix}")
    return f"::{_GITHUB.get(fault.level, 'warning')} file={file},line={fault.line},title={title}::{text}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
