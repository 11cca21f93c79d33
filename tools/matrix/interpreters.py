"""Finds the Pythons that this machine has: in POOLWITNESS_PYTHONS, on PATH, in pyenv."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Interpreter:
    path: Path
    version: str  # with the patch level: the exits of 3.13.0 and 3.13.18 need not be the same


def find(series: str) -> Interpreter | None:
    """The first interpreter of a series that really starts.

    Args:
        series: major and minor version, such as ``3.13``.
    """
    for folder in _folders(series):
        path = folder / f"python{series}"
        version = _version(path) if os.access(path, os.X_OK) else None
        if version is not None and version.startswith(f"{series}."):
            return Interpreter(path, version)
    return None


def _folders(series: str) -> Iterator[Path]:
    for variable in ("POOLWITNESS_PYTHONS", "PATH"):
        for entry in os.environ.get(variable, "").split(os.pathsep):
            if entry:
                yield Path(entry)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{series}.*"), key=_patch_level, reverse=True):
        yield folder / "bin"


def _patch_level(folder: Path) -> int:
    patch = folder.name.split(".")[2]
    return int(patch) if patch.isdigit() else -1  # pre-releases after everything else


def _version(path: Path) -> str | None:
    # On PATH there may be pyenv's shim of a Python that is not switched on: it starts and fails.
    question = "import ctypes, platform, ssl, venv; print(platform.python_version())"
    try:
        answer = subprocess.run([path, "-I", "-c", question], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
