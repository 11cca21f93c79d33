"""Two virtual environments that differ in one thing: whether poolwitness is installed."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

import poolwitness

_PTH = Path(__file__).parent.parent / "agent" / "poolwitness.pth"
# What a program has that uses psycopg_pool, and what the agent is measured beside; nothing more, since structlog
# imports rich where it finds it.
_LIBRARIES = (
    "poolwitness",
    "psycopg[binary]",
    "psycopg-pool",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-psycopg",
)


@dataclass(frozen=True)
class Environments:
    """The interpreters to start, and the directory that they and their output live in.

    ``bare`` and ``bare_again`` are alike: what they seem to differ by is the noise.
    """

    directory: Path
    bare: Path
    bare_again: Path
    installed: Path

    def environ(self, level: str | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Variables for a child.

        Args:
            level: the agent's level; None switches it off.
            extra: more variables.
        """
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PYTHON", "OTEL_"))
        }
        environ["POOLWITNESS"] = "0" if level is None else "1"
        if level is not None:
            environ["POOLWITNESS_LEVEL"] = level
            environ["POOLWITNESS_OUTPUT"] = f"file:{self.directory}/agent.%p.jsonl"
        return {**environ, **(extra or {})}


@contextmanager
def environments() -> Iterator[Environments]:
    """Make them from the running interpreter; all three see copies of the libraries that are needed, and no others."""
    with tempfile.TemporaryDirectory(prefix="pw") as name:
        directory = Path(name)
        libraries = directory / "libraries"
        libraries.mkdir()
        for top in sorted(_tops()):
            if top.is_dir():
                shutil.copytree(top, libraries / top.name)
            else:
                shutil.copy2(top, libraries)
        pythons = []
        for kind in ("bare", "bare_again", "installed"):
            home = directory / kind
            venv.create(home, symlinks=os.name != "nt")
            packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
            # A folder that a .pth adds has its own .pth files left unread.
            (packages / "libraries.pth").write_text(f"{libraries}\n")
            if kind == "installed":
                source = Path(poolwitness.__file__).parent
                shutil.copytree(source, packages / "poolwitness", ignore=shutil.ignore_patterns("__pycache__"))
                shutil.copy(_PTH, packages)
            scripts = home / ("Scripts" if os.name == "nt" else "bin")
            pythons.append(scripts / ("python.exe" if os.name == "nt" else "python"))
        yield Environments(directory, *pythons)


def _tops() -> set[Path]:
    """The files and folders of the libraries, and of what they require."""
    tops: set[Path] = set()
    waiting, seen = [Requirement(name) for name in _LIBRARIES], set()
    while waiting:
        wanted = waiting.pop()
        key = (wanted.name.lower().replace("_", "-"), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            found = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue
        if key[0] != "poolwitness":
            inside = [file for file in found.files or [] if file.parts[0] != ".."]
            tops.update(Path(str(found.locate_file(file.parts[0]))) for file in inside)
        for line in found.requires or []:
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {top for top in tops if top.exists() and top.name != "__pycache__"}
