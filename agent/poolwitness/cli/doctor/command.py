"""``poolwitness doctor``: report why the agent starts in this interpreter, or why it does not."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import poolwitness
from poolwitness._version import __version__
from poolwitness.cli.doctor import activation, interpreter
from poolwitness.cli.explain import find_code
from poolwitness.config import Config
from poolwitness.diagnose.known_defects import known_defects
from poolwitness.snapshot.versions import format_version

ARGUMENTS = {
    "--format": {"choices": ("text", "json"), "default": "text", "help": "text for people, json for programs"},
}


def run(args: argparse.Namespace) -> int:
    """Print what was found; the status is always 0."""
    found = inspect()
    print(json.dumps(found, indent=2) if args.format == "json" else "\n".join(_lines(found)))
    return 0


def inspect() -> dict[str, Any]:
    """Everything that the command reports, as plain data: the output of ``--format json``."""
    config = Config.from_environ(os.environ)
    implementation, libpq = interpreter.psycopg()
    settings = config._asdict()
    problems = settings.pop("problems")
    settings.pop("check_dir")
    return {
        "poolwitness": {"version": __version__, "location": str(Path(poolwitness.__file__).resolve().parent)},
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
        },
        "agent": activation.agent()._asdict(),
        "activation": [way._asdict() for way in activation.ways()],
        "versions": interpreter.versions(),
        "psycopg": {"implementation": implementation, "libpq": libpq},
        "known_defects": [
            {
                **{name: value for name, value in defect._asdict().items() if name != "first"},
                "fixed": format_version(defect.fixed) if defect.fixed else None,
            }
            for defect in known_defects(interpreter.components())
        ],
        "unclosed_pools": interpreter.at_exit(),
        "settings": settings,
        "problems": list(problems),
    }


def _lines(found: dict[str, Any]) -> list[str]:
    python = found["python"]
    lines = [
        f"poolwitness {found['poolwitness']['version']} in {found['poolwitness']['location']}",
        f"{python['implementation']} {python['version']} at {python['executable']}",
        "",
        "Activation",
    ]
    ways = [*found["activation"], found["agent"]]
    lines += [f"  {'live' if way['live'] else 'off ':<4}  {way['name']:<15} {way['reason']}" for way in ways]
    lines += ["", "Versions"]
    for package, version in found["versions"].items():
        detail = ""
        if package == "psycopg":
            implementation, libpq = found["psycopg"]["implementation"], found["psycopg"]["libpq"]
            detail = f"  ({implementation}, {libpq})" if implementation else f"  ({libpq})"
        lines.append(f"  {package:<15} {version or 'not installed'}{detail}")
    lines += ["", f"Known faults of these versions ({find_code('known-defect')})"]
    for defect in found["known_defects"]:
        fixed = f"mended in {defect['component']} {defect['fixed']}" if defect["fixed"] else "not mended yet"
        lines.append(f"  {defect['key']}: {defect['summary']} ({fixed})")
        lines.append(f"      applies to {defect['applies']}; {defect['advice']} [{defect['source']}]")
    if not found["known_defects"]:
        lines.append("  none")
    lines += ["", "A pool that nobody closes", f"  {found['unclosed_pools']}"]
    lines += ["", "Settings"]
    lines += [f"  {name:<15} {_format(value)}" for name, value in found["settings"].items()]
    lines += [f"  problem: {problem}" for problem in found["problems"]]
    return lines


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (tuple, list)):
        return ",".join(value) or "-"
    return str(value) if value != "" else "-"
