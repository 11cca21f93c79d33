"""64 processes write into one pipe, one file, one journal: no line is broken or mixed, and what is lost is said."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poolwitness.model.startup import system
from poolwitness.report.json_lines import render_json
from poolwitness.report.sinks import FdSink
from tests.ingestion.many_writers.reader import Reader
from tests.ingestion.many_writers.writers import OWN
from tests.support.journald import Journal
from tests.support.programs import LINE_BYTES, environment

pytestmark = [
    pytest.mark.matrix_once,
    pytest.mark.skipif(sys.platform == "win32", reason="it forks"),
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),
]

LOG = logging.getLogger(__name__)  # --log-cli-level=INFO shows the figures

PROCESSES = 64
SOME, MANY = 20_000, 1_000_000
PATIENCE_S = 1500.0
ROOT = Path(__file__).resolve().parents[2]
amounts = pytest.mark.parametrize(
    "lines", [SOME, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)


def writers(lines: int, output: str, folder: Path) -> list[str]:
    """The command that has so many lines written by all together."""
    folder.mkdir()
    a_process = -(-lines // PROCESSES)
    return [
        sys.executable,
        "-m",
        "tests.ingestion.many_writers.writers",
        str(PROCESSES),
        str(a_process),
        output,
        str(folder),
    ]


def ended(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for all writers.

    Raises:
        AssertionError: one has failed.
    """
    status = process.wait(PATIENCE_S)
    failures = [path.read_text() for path in folder.glob("*.failed")]
    assert status == 0 and not failures, "\n".join(failures)


def checked(lines: int, folder: Path, read: Callable[[Reader], None]) -> dict[str, Any]:
    """The figures, when all that was written has been read and is as it was written."""
    began_mono = time.monotonic()
    reader = Reader()
    read(reader)
    figures = reader.compare(folder)
    assert figures["processes"] == PROCESSES
    assert figures["lines"] >= lines + PROCESSES, "with a verdict each"
    assert LINE_BYTES - 64 < figures["longest"] <= LINE_BYTES
    assert len(reader.sizes) > 10, "of all lengths"
    LOG.info("%s, read and checked in %.0f s", figures, time.monotonic() - began_mono)
    return figures


def drain(pipe: int, out: Path, expected: int, all_there: Callable[[], None]) -> None:
    """Copy what comes out of a pipe, slowly at times, and not at all now and then, until all its writers have ended.

    Args:
        pipe: its reading end.
        out: where to.
        expected: lines to come before the verdicts.
        all_there: called when they have.
    """
    read = stops = quick = 0
    with out.open("wb") as file:
        while data := os.read(pipe, 1 << 16):
            file.write(data)
            read += data.count(b"\n")
            quick += len(data)
            if read >= expected:
                if expected:
                    all_there()
                expected = 0
            elif read * 6 > expected * (stops + 1):
                stops += 1
                time.sleep(0.5)
            elif quick > 1 << 19:
                quick = 0
                time.sleep(0.02)


@amounts
def test_into_one_pipe(lines: int, tmp_path: Path) -> None:
    accounts, out = tmp_path / "accounts", tmp_path / "out"
    read, write = os.pipe()
    with subprocess.Popen(
        writers(lines, "stderr", accounts), cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stderr=write
    ) as process:
        assert process.stdin is not None
        os.close(write)
        a_process = -(-lines // PROCESSES)
        began_mono = time.monotonic()
        drain(read, out, PROCESSES * (a_process + a_process // OWN), process.stdin.close)
        os.close(read)
        ended(process, accounts)
    LOG.info("written in %.0f s", time.monotonic() - began_mono)
    with out.open("rb") as file:
        figures = checked(lines, accounts, lambda reader: reader.read(file))
    assert figures["lost"] > 0, "the reader has stopped now and then"
    assert figures["slowest_s"] < 5, "nobody has waited for it"


@amounts
def test_into_one_file(lines: int, tmp_path: Path) -> None:
    accounts, out = tmp_path / "accounts", tmp_path / "out.jsonl"
    began_mono = time.monotonic()
    with subprocess.Popen(
        writers(lines, f"file:{out}", accounts), cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL
    ) as process:
        ended(process, accounts)
    LOG.info("written in %.0f s", time.monotonic() - began_mono)
    with out.open("rb") as file:
        figures = checked(lines, accounts, lambda reader: reader.read(file))
    assert figures["lost"] == 0


@amounts
def test_into_one_journald(lines: int, tmp_path: Path) -> None:
    accounts, journal = tmp_path / "accounts", Journal(tmp_path / "journal")
    began_mono = time.monotonic()
    with journal.of(
        *writers(lines, "stderr", accounts), cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL
    ) as process:
        ended(process, accounts)
    LOG.info("written in %.0f s", time.monotonic() - began_mono)
    with journal.reading("-o", "cat") as told:
        checked(lines, accounts, lambda reader: reader.read(told))


def test_a_line_is_not_waited_for_where_another_process_was_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes see room for one line; the one that comes second must lose its line, and no time."""
    if sys.platform != "linux":
        pytest.skip("only Linux has a write that does not wait for a pipe that others share")
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * LINE_BYTES)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    os.read(read, LINE_BYTES)

    class Poll:
        """Answers truly, and is answered by another writer at once."""

        def __init__(self) -> None:
            self.real = select.poll()
            self.register = self.real.register
            self.asked = 0

        def poll(self, timeout_ms: float) -> list[tuple[int, int]]:
            answer = self.real.poll(timeout_ms)
            if not self.asked:
                os.write(write, b"x" * LINE_BYTES)
            self.asked += 1
            return answer

    monkeypatch.setattr(system, "poll", Poll)
    rescue = threading.Timer(20, os.read, (read, LINE_BYTES))  # where it does wait
    rescue.start()
    try:
        for patience_s in (0.0, 0.2):
            began_mono = time.monotonic()
            sink = FdSink("stderr", write, render_json)
            assert not sink.accept({"message": "x" * 2000}, patience_s)
            assert patience_s <= time.monotonic() - began_mono < 10
            os.read(read, LINE_BYTES)
        monkeypatch.undo()
        assert sink.accept({"message": "there is room"}, 0.0)
    finally:
        rescue.cancel()
        for fd in (read, write):
            os.close(fd)
