"""Ask a process that has no agent, or whose agent cannot answer: `sys.remote_exec`, Python 3.14 and later.

The target reads two small files from a folder of ours: the first only starts a thread, the second is `injected`.
Where its main thread is blocked the first is run when that ends, however late: then it finds that nobody waits for an
answer any more, and takes the folder away.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from poolwitness.cli.dumping import Unanswered
from poolwitness.cli.dumping.target import Target

PREFIX = "poolwitness-dump-"
_LOOK_S = 0.005
_START = """\
def poolwitness_dump(folder):
    import _thread, os

    def remove():
        for name in ("start.py", "look.py", "answer"):
            try:
                os.unlink(folder + "/" + name)
            except OSError:
                pass
        try:
            os.rmdir(folder)
        except OSError:
            pass

    def look(answer):
        try:
            try:
                with open(folder + "/look.py", encoding="utf-8") as file:
                    code = compile(file.read(), "<poolwitness dump>", "exec")
                space = {"__name__": "poolwitness_dump"}
                exec(code, space)
                space["run"](answer)
            except BaseException as error:
                os.write(answer, ("!" + type(error).__name__ + "\\n\\n").encode())
        except OSError:
            pass
        finally:
            os.close(answer)

    try:
        answer = os.open(folder + "/answer", os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return remove()
    os.write(answer, b" ")
    try:
        _thread.start_new_thread(look, (answer,))
    except RuntimeError:
        look(answer)

poolwitness_dump(%r)
"""


def possible(target: Target) -> bool:
    """Whether this interpreter can reach into that process."""
    return hasattr(sys, "remote_exec") and target.series in (None, sys.version_info[:2])


def ask(target: Target, deadline_mono: float, wake: str = "") -> bytes:
    """Have a process say what is on its heap.

    Args:
        target: the process.
        deadline_mono: until when to wait.
        wake: a signal to send, so that a blocked main thread comes to the request; only one that is handled.

    Returns:
        What the script, or the agent that it found there, wrote: lines of JSON and an empty line.

    Raises:
        Unanswered: it is not allowed or not possible.
        TimeoutError: the main thread did not come to it in time.
    """
    if wake and wake not in target.catches:
        raise Unanswered(
            f"process {target.pid} has no handler for {wake}, and would die of it or not notice; "
            f"it handles {', '.join(target.catches) or 'no signal'}."
        )
    _tidy()
    # What the target cannot open it complains of on its stderr: another user may not get into our own TMPDIR.
    parent = "/tmp" if _is_anothers(target) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{target.pid}-", dir=parent))
    answered = False
    try:
        with _answer_file(folder / "answer") as answer:
            (folder / "start.py").write_text(_START % str(folder), encoding="utf-8")
            (folder / "look.py").write_bytes(resources.files(__package__).joinpath("injected.py").read_bytes())
            _give_to(target, folder)
            _request(target, folder / "start.py")
            _tidy(target.pid, besides=folder)
            if wake:
                os.kill(target.pid, signal.Signals[wake])
            found = _wait_for(answer, target, deadline_mono)
            answered = True
    except Unasked as error:
        answered = True
        raise Unanswered(str(error)) from None
    finally:
        _remove(folder, everything=answered)
    if found.startswith(b" !"):
        why = found[2:].decode("ascii", "replace").strip()
        raise Unanswered(f"process {target.pid} could not be looked at: {why}.")
    return found


class Unasked(Exception):
    """The request is over, and nobody will read the script any more."""


def _request(target: Target, script: Path) -> None:
    pid = target.pid
    try:
        sys.remote_exec(pid, str(script))  # type: ignore[attr-defined,unused-ignore]  # Python 3.14
    except PermissionError:
        raise Unasked(
            f"reaching into process {pid} is not permitted: run the command as root, or in a container that was "
            f"started with --cap-add=SYS_PTRACE; with POOLWITNESS=1 in its environment it could be asked without."
        ) from None
    except ProcessLookupError:
        raise Unasked(f"process {pid} has ended.") from None
    except (RuntimeError, OSError) as error:
        raise Unasked(f"process {pid} cannot be reached into: {error}.") from None


def _wait_for(answer: int, target: Target, deadline_mono: float) -> bytes:
    while True:
        size = os.fstat(answer).st_size
        if size > 1 and os.pread(answer, 2, size - 2) == b"\n\n":
            return os.pread(answer, size, 0)
        if not _is_there(target.pid):
            raise Unasked(f"process {target.pid} ended before it could answer.")
        if time.monotonic() > deadline_mono:
            if size:
                raise Unasked(f"process {target.pid} is at it, but did not finish in time; give it a longer --timeout.")
            raise TimeoutError
        time.sleep(_LOOK_S)


@contextlib.contextmanager
def _answer_file(path: Path) -> Iterator[int]:
    # Read through this descriptor only: in a folder that is the target's, a name may come to mean something else.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _give_to(target: Target, folder: Path) -> None:
    if _is_anothers(target):
        for path in (*folder.iterdir(), folder):
            os.chown(path, target.uid, -1)


def _is_anothers(target: Target) -> bool:
    return hasattr(os, "geteuid") and os.geteuid() != target.uid


def _remove(folder: Path, everything: bool) -> None:
    for name in ("answer", "look.py", "start.py") if everything else ("answer",):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _tidy(pid: int | None = None, besides: Path | None = None) -> None:
    """Take away what was left for processes that ended, or for earlier requests that ours has replaced in *pid*."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        match = re.match(rf"{PREFIX}(\d+)-", folder.name)
        if match is None or folder == besides:
            continue
        replaced = int(match[1]) == pid and not (folder / "answer").exists()
        if replaced or not _is_there(int(match[1])):
            _remove(folder, everything=True)


def _is_there(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 is Ctrl-C
        import psutil

        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
