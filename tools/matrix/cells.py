"""One cell of the matrix: one Python, one psycopg_pool, the built wheel, and the tests marked for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.matrix.environments import copy_packages, make, make_bare, python_of, run_pip
from tools.matrix.interpreters import Interpreter

# More than this is not one cell crowding another.
MOST_TRIED_AGAIN = 5

_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Cell:
    series: str
    pool: str  # major and minor version of psycopg_pool

    @property
    def name(self) -> str:
        return f"python{self.series}-pool{self.pool}"


@dataclass(frozen=True)
class Result:
    passed: int
    failed: int
    skipped: int
    took_s: float
    trouble: str = ""  # one sentence, where the tests did not come to an end by themselves


def make_base(interpreter: Interpreter, folder: Path, wheel: Path, extras: str) -> Path:
    """Makes, or finds again, the environment that the cells of one Python copy.

    Args:
        interpreter: the Python.
        folder: where.
        wheel: poolwitness.
        extras: of it, to be installed with it.

    Returns:
        The environment's Python.

    Raises:
        CannotMake: pip failed, or the machine's Pythons cannot.
    """
    stamp = folder / "made-from"
    made_from = f"{interpreter} [{extras}]\n{Path('pyproject.toml').read_text()}"
    if stamp.exists() and stamp.read_text() == made_from:
        return python_of(folder)
    python = make(interpreter.path, folder)
    run_pip(python, "install", f"{wheel}[{extras}]")
    stamp.write_text(made_from)
    return python


def make_cell(cell: Cell, base: Path, folder: Path, wheel: Path) -> Path:
    """Makes a cell anew, from the base environment of its Python.

    Args:
        cell: which.
        base: the Python of the base environment.
        folder: where.
        wheel: poolwitness.

    Returns:
        The cell's Python.

    Raises:
        CannotMake: pip failed.
    """
    python = make_bare(base, folder)
    copy_packages(base, python)
    run_pip(python, "install", "--no-deps", "--force-reinstall", str(wheel), f"psycopg-pool=={cell.pool}.*")
    return python


def run_tests(python: Path, folder: Path, dsn: str, timeout_s: float, marked: str, options: list[str]) -> Result:
    """Runs the marked tests; what they print is left in the folder's ``output.txt``.

    Args:
        python: of the cell.
        folder: the cell's.
        dsn: the database for the tests.
        timeout_s: after so many seconds all processes of the cell are killed.
        marked: pytest's expression of markers.
        options: for pytest.

    Returns:
        The counts; an end without a report is one failure, with its trouble said.
    """
    started = time.monotonic()
    report = folder / "junit.xml"
    cache = folder.absolute() / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    command = [str(python), "-m", "pytest", "-m", marked, "-o", f"cache_dir={cache}", f"--junit-xml={report}"]
    status = _run([*command, *options], folder / "output.txt", dsn, timeout_s)
    if status is None:
        return Result(0, 1, 0, time.monotonic() - started, f"killed after {timeout_s:g} s")
    if not report.exists():
        return Result(0, 1, 0, time.monotonic() - started, f"pytest ended with status {status} and no report")
    passed, failed, skipped = _counts(report)
    if status != 0 and 0 < failed <= MOST_TRIED_AGAIN:
        # Cells crowd each other's processors: what fails there and not alone is said, and is not the cell's failure.
        again = _run([*command, "--last-failed", *options], folder / "again.txt", dsn, timeout_s)
        names = _failed_names(folder / "output.txt")
        if again == 0:
            print(f"{folder.name}: passed at the second try: {', '.join(names)}", flush=True)
            return Result(passed + failed, 0, skipped, time.monotonic() - started)
    took_s = time.monotonic() - started
    if status != 0 and not failed:
        return Result(passed, 1, skipped, took_s, f"pytest ended with status {status}")
    return Result(passed, failed, skipped, took_s)


def _run(command: list[str], output: Path, dsn: str, timeout_s: float) -> int | None:
    """The exit status of a run of pytest; None where it had to be killed."""
    with output.open("w") as file:
        tests = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=_environ(dsn),
            start_new_session=True,
        )
        _running.add(tests)
        try:
            return tests.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # Also after a good end: a program that a test lost would go on beside the other cells.
            _kill_session(tests)
            tests.wait()
            _running.discard(tests)


def _failed_names(output: Path) -> list[str]:
    lines = output.read_text(errors="replace").splitlines()
    return [line.split()[1] for line in lines if line.startswith("FAILED ")]


def kill_all() -> None:
    """Ends what `run_tests` is still running in other threads."""
    for tests in list(_running):
        _kill_session(tests)


def _environ(dsn: str) -> dict[str, str]:
    ours = ("POOLWITNESS", "PYTHON", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "POOLWITNESS_TEST_DSN": dsn}


def _kill_session(leader: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(leader.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _counts(report: Path) -> tuple[int, int, int]:
    suite = next(ElementTree.parse(report).iter("testsuite"))
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return total - failed - skipped, failed, skipped
