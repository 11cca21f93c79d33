"""The ways in which the agent can start, and which of them work in this interpreter."""

from __future__ import annotations

import os
import site
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from poolwitness import boot
from poolwitness.cli.sitedir import path as sitedir
from poolwitness.model.startup import is_on

PTH = "poolwitness.pth"


class Way(NamedTuple):
    """One way to start the agent: whether it works here, and a sentence on why or why not."""

    name: str
    live: bool
    reason: str


def ways() -> tuple[Way, ...]:
    """Check each way in this interpreter."""
    return (_variable(), _pth(), _pythonpath(), _code())


def agent() -> Way:
    """Whether the agent is active in this process."""
    by = ", ".join(boot.booted_by)
    if not boot.booted_by:
        return Way("agent", False, "not started in this process")
    if not is_on(os.environ.get("POOLWITNESS", "")) and "activate" not in boot.booted_by:
        return Way("agent", False, f"reached by {by}, and left off because of POOLWITNESS")
    if "poolwitness.agent" in sys.modules:
        return Way("agent", True, f"started by {by}")
    return Way("agent", True, f"started by {by}; it waits for the program to import psycopg_pool")


def _variable() -> Way:
    value = os.environ.get("POOLWITNESS")
    if value is None:
        return Way("POOLWITNESS", False, "not set; set it to 1 to switch the agent on")
    on = is_on(value)
    if on is None:
        return Way("POOLWITNESS", False, f"{value[:40]!r} is neither 1 nor 0; set it to 1")
    return Way("POOLWITNESS", on, "set to 1" if on else f"{value!r} means off; set it to 1")


def _pth() -> Way:
    if sys.flags.no_site:
        return Way(PTH, False, "Python was started with -S, so it reads no .pth file")
    if sys.version_info >= (3, 18):
        return Way(PTH, False, "this Python no longer runs the import lines of .pth files")
    directories = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    for directory in directories:
        if Path(directory, PTH).is_file():
            return Way(PTH, True, f"read from {directory}")
    if not site.ENABLE_USER_SITE and Path(site.getusersitepackages(), PTH).is_file():
        return Way(PTH, False, f"only in {site.getusersitepackages()}, which this interpreter does not read")
    package = Path(boot.__file__).parent.parent.parent
    reason = f"poolwitness was imported from {package}, where .pth files are not read"
    return Way(PTH, False, f"not in {' or '.join(directories)}; {reason}")


def _pythonpath() -> Way:
    name = "PYTHONPATH"
    if sys.flags.no_site:
        return Way(name, False, "Python was started with -S, so it imports no sitecustomize")
    if sys.flags.ignore_environment:
        return Way(name, False, "Python was started with -E or -I, so it does not read PYTHONPATH")
    ours = sitedir()
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if not any(_same(entry, ours) for entry in entries):
        return Way(name, False, f"has no {ours}; set PYTHONPATH to $(poolwitness sitedir)")
    found = _sitecustomizes(entries)
    others = [file for file in found if not _same(file.parent, ours)]
    if not found or not _same(found[0].parent, ours):
        first = found[0] if found else "nothing"
        return Way(name, False, f"{first} is found before our sitecustomize.py; put $(poolwitness sitedir) in front")
    after = f", and hands over to {others[0]}" if others else ""
    return Way(name, True, f"has {ours}, whose sitecustomize.py is found first{after}")


def _code() -> Way:
    if "activate" in boot.booted_by:
        return Way("activate()", True, "called in this process")
    reason = "not called in this process; for frozen programs and python -S, call it first thing"
    return Way("activate()", False, reason)


def _sitecustomizes(entries: list[str]) -> list[Path]:
    # sys.path[0] is the script's directory or the current one, and is added after site has run.
    rest = sys.path if sys.flags.isolated or getattr(sys.flags, "safe_path", False) else sys.path[1:]
    found: list[Path] = []
    for entry in [*entries, *rest]:
        spec = PathFinder.find_spec("sitecustomize", [entry])
        if spec is not None and spec.origin and Path(spec.origin) not in found:
            found.append(Path(spec.origin))
    return found


def _same(one: str | Path, other: str | Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
