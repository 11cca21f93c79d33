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
from pathlib import Path

import poolwitness

_PTH = Path(__file__).parent.parent / "agent" / "poolwitness.pth"


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
    """Make them from the running interpreter, whose installed libraries all three see."""
    with tempfile.TemporaryDirectory(prefix="pw") as name:
        directory = Path(name)
        pythons = []
        for kind in ("bare", "bare_again", "installed"):
            home = directory / kind
            venv.create(home, symlinks=os.name != "nt")
            packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
            # A folder that a .pth adds has its own .pth files left unread.
            libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
            (packages / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
            if kind == "installed":
                source = Path(poolwitness.__file__).parent
                shutil.copytree(source, packages / "poolwitness", ignore=shutil.ignore_patterns("__pycache__"))
                shutil.copy(_PTH, packages)
            scripts = home / ("Scripts" if os.name == "nt" else "bin")
            pythons.append(scripts / ("python.exe" if os.name == "nt" else "python"))
        yield Environments(directory, *pythons)
