"""Run one scenario in a process of its own, and keep what the agent wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.golden.scenarios import Scenario

READY = b"READY\n"
PATIENCE_S = 100.0  # the slowest exit takes 40 s, on Python 3.13
_NOT_INHERITED = ("PYTHON", "POOLWITNESS", "PWTEST", "PG")


@dataclass(frozen=True)
class Run:
    """What a scenario left.

    Attributes:
        lines: the agent's lines, from its file and, where it wrote there, from stderr.
        status: the exit status, negative for a signal; None where the program had to be killed.
        pid: of the program.
        folder: the directory in which it ran, which is gone.
        seconds: how long it took.
    """

    lines: Sequence[str]
    status: int | None
    pid: int
    folder: Path
    seconds: float


def run(scenario: Scenario, python: Path, dsn: str) -> Run:
    """Run a scenario to its end, with the agent on.

    Args:
        scenario: what to run.
        python: the interpreter, of an environment that has the agent.
        dsn: the database.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="golden-run-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        output = folder / "lines"
        home = folder / "cwd"
        home.mkdir()
        with subprocess.Popen(
            [str(python), str(scenario.program), *scenario.argv],
            cwd=home,
            env=_environment(scenario, dsn, output),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        ) as process:
            overdue = threading.Timer(PATIENCE_S, _kill, [process.pid])
            overdue.start()
            try:
                _send_signal(process, scenario.signal)
                _, stderr = process.communicate()
            finally:
                in_time = overdue.is_alive()
                overdue.cancel()
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    elsewhere = [line for line in stderr.decode(errors="replace").splitlines() if _is_agents(line)]
    return Run(
        lines=[*text.splitlines(), *elsewhere],
        status=process.returncode if in_time else None,
        pid=process.pid,
        folder=folder,
        seconds=time.monotonic() - started,
    )


def _environment(scenario: Scenario, dsn: str, output: Path) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
    import_path = os.pathsep.join(str(path) for path in scenario.import_path)
    return {
        **inherited,
        "DSN": dsn,
        "PWTEST_DSN": dsn,
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"PYTHONPATH": import_path} if import_path else {}),
        "POOLWITNESS_OUTPUT": f"file:{output}",
        "POOLWITNESS_FORMAT": "json",
        **scenario.env,
        "POOLWITNESS": "1",
    }


def _is_agents(line: str) -> bool:
    return line.startswith("poolwitness") or '"logger":"poolwitness"' in line or '"event":"poolwitness.' in line


def _send_signal(process: subprocess.Popen[bytes], number: signal.Signals | None) -> None:
    if number is None:
        return
    assert process.stdout is not None
    for line in iter(process.stdout.readline, b""):
        if line == READY:
            process.send_signal(number)
            break


def _kill(pid: int) -> None:
    # The whole session: a forked child that holds the pipe would keep us waiting.
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
