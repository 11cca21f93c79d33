"""The door by itself: also as it is on systems without abstract socket names, where it is a file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from poolwitness.dump.address import path_of
from poolwitness.dump.socket import END_OF_ANSWER, HIGH_FD, DumpSocket

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such sockets on Windows")

ASK = """
import sys, time
from poolwitness.dump import client
try:
    print(client.ask(int(sys.argv[1]), 0, time.monotonic() + 30, address=sys.argv[2]))
except Exception as error:
    print(type(error).__name__)
"""


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DumpSocket]:
    """A door with a file."""
    found = DumpSocket(str(tmp_path / "ours" / "door.sock"))
    yield found
    found.close()


def asking(door: DumpSocket, pid: int = os.getpid()) -> subprocess.Popen[str]:
    """A process that asks there, and takes whoever listens for *pid*."""
    return subprocess.Popen([sys.executable, "-c", ASK, str(pid), str(door.address)], stdout=subprocess.PIPE, text=True)


def test_who_asks_is_answered(door: DumpSocket) -> None:
    assert door.open()
    with asking(door) as visitor:
        connection = door.accept(30)
        assert connection is not None
        with connection:
            connection.sendall(b"{}\n" + END_OF_ANSWER)
        assert visitor.communicate()[0] == "b'{}\\n\\n'\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell whose process listens")
def test_an_impostor_is_not_believed(door: DumpSocket) -> None:
    assert door.open()
    with asking(door, pid=os.getpid() + 1) as visitor:
        assert visitor.communicate()[0] == "NotListening\n"


def test_lines_without_an_end_are_no_answer(door: DumpSocket) -> None:
    assert door.open()
    with asking(door) as visitor:
        connection = door.accept(30)
        assert connection is not None
        with connection:
            connection.sendall(b"{}\n")
        assert visitor.communicate()[0] == "NoAnswer\n"


def test_who_leaves_without_a_word_is_no_answer(door: DumpSocket) -> None:
    assert door.open()
    with asking(door) as visitor:
        connection = door.accept(30)
        assert connection is not None
        connection.close()
        assert visitor.communicate()[0] == "NoAnswer\n"


def test_the_file_is_its_users_alone_and_goes_with_the_door(door: DumpSocket) -> None:
    assert door.open()
    file = Path(str(door.address))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    door.close()
    assert not file.exists()
    assert not door.is_open


def test_a_file_left_by_a_process_that_was_killed_is_replaced(door: DumpSocket) -> None:
    file = Path(str(door.address))
    file.parent.mkdir(mode=0o700)
    file.write_text("")
    assert door.open()


def test_a_folder_that_others_may_write_to_is_not_used(door: DumpSocket) -> None:
    folder = Path(str(door.address)).parent
    folder.mkdir()
    folder.chmod(0o777)
    assert not door.open()
    assert list(folder.iterdir()) == []


def test_a_knock_wakes_who_waits(door: DumpSocket) -> None:
    assert door.open()
    found: list[object] = []
    started_mono = time.monotonic()
    thread = threading.Thread(target=lambda: found.append(door.accept(60)))
    thread.start()
    door.wake()
    thread.join()
    # On other systems than Linux a knock cannot be told from a question.
    if sys.platform == "linux":
        assert found == [None]
    assert time.monotonic() - started_mono < 30


def test_a_number_that_means_another_file_is_left_alone(door: DumpSocket, tmp_path: Path) -> None:
    assert door.open()
    number = door.fileno()
    assert number >= HIGH_FD
    with (tmp_path / "theirs").open("w+b") as theirs:
        os.dup2(theirs.fileno(), number)
        try:
            assert not door.is_open
            assert door.accept(0) is None
            door.wake()
            door.close()
            assert os.fstat(number).st_ino == os.fstat(theirs.fileno()).st_ino
        finally:
            os.close(number)


def test_each_process_has_its_own(tmp_path: Path) -> None:
    assert path_of(1, 1000) != path_of(2, 1000)
    assert path_of(1, 1000) != path_of(1, 1001)
