"""Makes virtual environments, also from Pythons that came without pip.

`python3 -m tools.matrix.environments .venv` makes one from the Python that runs it;
with ``3.13 3.14`` after that, from the first of these that the machine has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.matrix.interpreters import find

PIP_S = 900  # a cold download of all that one Python needs takes a tenth of it


class CannotMake(Exception):
    """An environment could not be made; the text says why."""


def make(interpreter: Path, folder: Path) -> Path:
    """Makes an environment that has pip.

    Args:
        interpreter: the Python that it is for.
        folder: where; what is there is replaced.

    Returns:
        The environment's own Python.

    Raises:
        CannotMake: neither that Python nor the running one can install pip.
    """
    if _runs(interpreter, "-m", "venv", "--clear", folder):
        return python_of(folder)
    # Debian keeps ensurepip in another package. pip is the same for every Python: another one can unpack it.
    python = make_bare(interpreter, folder)
    with tempfile.TemporaryDirectory() as spare:
        installer = Path(sys.executable)
        if not _runs(installer, "-m", "pip", "--version"):
            if not _runs(installer, "-m", "venv", spare):
                raise CannotMake(
                    f"{installer} can make no virtual environment:"
                    " install its venv and ensurepip modules (on Debian and Ubuntu: apt install python3-venv)"
                )
            installer = python_of(Path(spare))
        target = site_packages(python)
        run_pip(installer, "install", "--target", target, "pip")
    return python


def make_bare(interpreter: Path, folder: Path) -> Path:
    """Makes an environment with nothing in it, in a tenth of a second; arguments and result as of `make`."""
    if not _runs(interpreter, "-m", "venv", "--clear", "--without-pip", folder):
        raise CannotMake(f"{interpreter} -m venv --without-pip {folder} failed")
    return python_of(folder)


def copy_packages(source: Path, python: Path) -> None:
    """Gives a bare environment the packages of another one of the same Python, by hard links.

    Args:
        source: the Python of the environment that has them.
        python: the Python of the bare one.
    """
    target = site_packages(python)
    shutil.copytree(site_packages(source), target, copy_function=os.link, dirs_exist_ok=True)


def run_pip(python: Path, *words: str | Path) -> None:
    """Runs pip quietly.

    Args:
        python: of the environment that has it.
        words: the subcommand and its arguments.

    Raises:
        CannotMake: it failed; the text ends with what it printed.
    """
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PIP_S)
    except subprocess.TimeoutExpired:
        raise CannotMake(f"this took more than {PIP_S} s: {line}") from None
    if done.returncode != 0:
        raise CannotMake(f"this failed: {line}\n{done.stdout}")


def python_of(folder: Path) -> Path:
    """The Python of an environment, absolute."""
    return folder.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages(python: Path) -> Path:
    """Where an environment keeps its packages."""
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([python, "-I", "-c", question], text=True).strip())


def _runs(*command: str | Path) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _main(folder: str, *wanted: str) -> None:
    found = next(filter(None, map(find, wanted)), None)
    if wanted and found is None:
        print(f"No Python {' or '.join(wanted)} on this machine: using {sys.executable}.", file=sys.stderr)
    try:
        make(found.path if found else Path(sys.executable), Path(folder))
    except CannotMake as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    _main(*sys.argv[1:])
