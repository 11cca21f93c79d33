"""The file of a black box is written without harm: a write fails or succeeds, and no other file is touched."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from poolwitness.blackbox import format as layout
from poolwitness.blackbox import identity
from poolwitness.blackbox.file import HIGH_FD, BlackBoxFile, write_function
from tests.unit.blackbox import raise_it

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the file is mapped there")


@pytest.fixture(params=["ctypes", "os"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ctypes, and in a Python without."""
    if request.param == "os":
        monkeypatch.setitem(sys.modules, "ctypes", None)


@pytest.fixture
def errors() -> list[OSError]:
    """What was reported."""
    return []


@pytest.fixture
def file(tmp_path: Path, errors: list[OSError]) -> BlackBoxFile:
    """A file that is whole."""
    return BlackBoxFile(str(tmp_path), identity.own(), errors.append)


def test_bytes_go_where_they_belong(file: BlackBoxFile, errors: list[OSError]) -> None:
    file.write(layout.SIZE - 4, b"last")
    content = Path(file.path).read_bytes()
    assert (len(content), content[-4:], content[: len(layout.MAGIC)]) == (layout.SIZE, b"last", layout.MAGIC)
    assert file.fd >= HIGH_FD
    file.check()
    assert not errors


def test_the_program_closes_the_descriptor(file: BlackBoxFile, errors: list[OSError]) -> None:
    os.close(file.fd)
    file.write(4096, b"lost")
    assert [error.errno for error in errors] == [errno.EBADF]
    file.finish()
    file.release()
    assert not os.path.exists(file.path)


def test_the_program_has_another_file_under_that_number(
    file: BlackBoxFile, errors: list[OSError], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(8192))
    opened = os.open(other, os.O_RDWR)
    os.dup2(opened, file.fd)
    file.write(4096, b"lost")
    file.finish()
    file.release()
    assert [error.errno for error in errors] == [errno.EBADF]
    assert other.read_bytes() == bytes(8192)
    assert os.lseek(file.fd, 0, os.SEEK_CUR) == 0
    os.close(file.fd)
    os.close(opened)


@pytest.mark.parametrize("what", ["truncated", "replaced", "removed"])
def test_a_check_finds_what_no_write_notices(file: BlackBoxFile, errors: list[OSError], what: str) -> None:
    if what == "truncated":
        os.truncate(file.path, 0)
    else:
        os.unlink(file.path)
        if what == "replaced":
            Path(file.path).write_bytes(bytes(layout.SIZE))
    file.write(4096, b"lost")
    assert not errors
    file.check()
    (error,) = errors
    assert error.strerror in ("it was truncated", "it was replaced", os.strerror(errno.ENOENT))
    file.finish()
    assert os.path.exists(file.path) == (what == "replaced")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no such device here")
def test_a_full_disk() -> None:
    errors: list[OSError] = []
    with open("/dev/full", "r+b", buffering=0) as full:
        write_function(full.fileno(), errors.append)(4096, b"lost")
    assert [error.errno for error in errors] == [errno.ENOSPC]


def test_a_limit_that_is_too_low_is_an_error_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 20, 1 << 20))
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        BlackBoxFile(str(tmp_path), identity.own(), raise_it)
    assert not list(tmp_path.iterdir())
