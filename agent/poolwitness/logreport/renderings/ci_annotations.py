"""``--format github`` and ``--format gitlab``: the unresolved faults as annotations at their lines of code."""

from __future__ import annotations

import json
from urllib.parse import quote

from poolwitness.logreport.answers import Report
from poolwitness.logreport.renderings.wording import repository_path

_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}
_GITLAB = {"error": "critical", "warning": "major", "info": "info"}
_TEXT = str.maketrans({character: quote(character) for character in "%\r\n"})
_PROPERTY = str.maketrans({character: quote(character) for character in "%\r\n:,"})


def github(report: Report) -> str:
    """GitHub workflow commands, one per fault."""
    commands = []
    for fault in report.unresolved:
        file = repository_path(fault.file).translate(_PROPERTY)
        title = f"{fault.rule} {fault.rule_name}".translate(_PROPERTY)
        text = f"{fault.message}\nTo mend it: {fault.fix}".translate(_TEXT)
        level = _GITHUB.get(fault.level, "warning")
        commands.append(f"::{level} file={file},line={fault.line},title={title}::{text}\n")
    return "".join(commands)


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
        for fault in report.unresolved
    ]
    return json.dumps(issues, indent=1) + "\n"
