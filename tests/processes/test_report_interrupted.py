"""A report that is broken off leaves nothing behind; its progress is for terminals alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("rich")

from poolwitness.logreport.workspace import PREFIX, YOUNG_S
from tests.support.commands import cli, environ
from tests.support.log_lines import Process, history

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")

OLD = time.time() - 2 * YOUNG_S


@contextmanager
def reporting(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A report that runs, with its temporary files in a folder; one of ``-`` waits for its input to end."""
    folder.mkdir(exist_ok=True)
    before = set(folder.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "poolwitness", "report", *words],
        env=environ(TMPDIR=str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: any(path.parent not in before for path in folder.glob(f"{PREFIX}*/events.duckdb")))
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def until(state: Callable[[], bool]) -> None:
    """Wait for a state."""
    deadline = time.monotonic() + 60
    while not state():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that is read for a second or so."""
    path = tmp_path_factory.mktemp("large") / "large.log"
    process = Process("aaaa")
    path.write_bytes(b"".join(process.opened(number) + process.closed(number) for number in range(2_000)) * 60)
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["waiting for input", "reading"])
def test_signals_leave_nothing_behind(tmp_path: Path, large: str, number: signal.Signals, at: str) -> None:
    folder = tmp_path / "temporary"
    with reporting(folder, "-" if at == "waiting for input" else large) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, b"", b"")
    assert os.listdir(folder) == []


def test_what_a_kill_leaves_is_removed_by_the_next_report(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(history())
    folder = tmp_path / "temporary"
    with reporting(folder, "-") as process:
        process.kill()
        process.wait(timeout=60)
        (left,) = folder.iterdir()
    with reporting(folder, "-") as living:
        (used,) = set(folder.iterdir()) - {left}
        ran = cli("report", str(log), TMPDIR=str(folder))
        assert (ran.returncode, set(folder.iterdir())) == (0, {left, used}), "young ones may have no lock yet"
        for one in (left, used):
            os.utime(one, (OLD, OLD))
        (folder / f"{PREFIX}file").touch()
        ran = cli("report", str(log), TMPDIR=str(folder))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert set(folder.iterdir()) == {used, folder / f"{PREFIX}file"}
        living.communicate(b"", timeout=60)
        assert living.returncode == 0


def on_a_terminal(log: str) -> tuple[str, str]:
    """Run a report with a terminal as its stderr; what stdout and the terminal got."""
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "poolwitness", "report", log, "--format", "json"],
        env=environ(TERM="xterm", COLUMNS="80"),
        stdout=subprocess.PIPE,
        stderr=slave,
    ) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                piece = os.read(master, 65_536)
            except OSError:  # Linux says so where everybody else has closed it
                break
            if not piece:
                break
            seen += piece
        out = process.stdout.read() if process.stdout else b""
    os.close(master)
    assert process.returncode == 0
    return out.decode(), seen.decode()


def test_a_terminal_shows_how_far_it_is_and_then_nothing(large: str) -> None:
    out, seen = on_a_terminal(large)
    assert json.loads(out)["totals"]["processes"] == 1
    assert "reading" in seen
    # How much of how much, and at the end all of it.
    shown = re.findall(r"([\d.]+)/([\d.]+) MB", re.sub(r"\x1b\[[\d;?]*\w", "", seen))
    assert shown
    assert shown[-1][0] == shown[-1][1]
    # The last thing is that the line is taken away, and the cursor is back.
    assert re.search(r"\x1b\[2K[\r\n]*$", seen.replace("\x1b[?25h", ""))
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1


def test_no_progress_where_there_is_no_terminal(large: str) -> None:
    ran = cli("report", large, "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    json.loads(ran.stdout)
    assert "reading" not in ran.stdout
