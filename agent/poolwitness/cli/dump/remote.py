"""Ask a process without an agent, or whose agent cannot answer, with `sys.remote_exec`: Python 3.14 and later.

The process reads two small files from a folder of ours: the first only starts a thread, the second is `injected`.
If its main thread is blocked, the first runs when that ends, however late. Then it finds that the file for the answer
is gone, and removes the folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from functools import partial
from importlib import resources
from pathlib import Path

from poolwitness.cli.dump import Unanswered
from poolwitness.cli.dump.process import Process

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


def possible(process: Process) -> bool:
    """Whether this interpreter can reach into that process."""
    return hasattr(sys, "remote_exec") and process.series in (None, sys.version_info[:2])


def ask(process: Process, deadline_mono: float, wake: str = "") -> bytes:
    """Have a process report what is on its heap, or have its agent report: lines of JSON and an empty line.

    *wake* names a signal to send, so that a blocked main thread runs the script; only one that the program handles.

    Raises:
        Unanswered: it is not permitted or not possible.
        TimeoutError: the main thread did not run the script in time.
    """
    if wake and wake not in process.catches:
        raise Unanswered(
            f"process {process.pid} has no handler for {wake}, and would die of it or not notice; "
            f"it handles {', '.join(process.catches) or 'no signal'}."
        )
    _remove_leftovers()
    # A process that cannot open the script prints that on its stderr; another user may have no access to our TMPDIR.
    parent = "/tmp" if _is_anothers(process) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{process.pid}-", dir=parent))
    answered = False
    try:
        # The answer is read through this descriptor only: the folder belongs to the process's user, who may replace it.
        with open(folder / "answer", "xb+", buffering=0, opener=partial(os.open, mode=0o600)) as answer:
            (folder / "start.py").write_text(_START % str(folder), encoding="utf-8")
            (folder / "look.py").write_bytes(resources.files(__package__).joinpath("injected.py").read_bytes())
            if _is_anothers(process):
                for path in (*folder.iterdir(), folder):
                    os.chown(path, process.uid, -1)
            _request(process, folder / "start.py")
            _remove_leftovers(process.pid, besides=folder)
            if wake:
                os.kill(process.pid, signal.Signals[wake])
            found = _wait_for(answer.fileno(), process, deadline_mono)
            answered = True
    except Unasked:
        answered = True
        raise
    finally:
        _remove(folder, everything=answered)
    if found.startswith(b" !"):
        why = found[2:].decode("ascii", "replace").strip()
        raise Unanswered(f"process {process.pid} could not be looked at: {why}.")
    return found


class Unasked(Unanswered):
    """The request is over; no process will read the script any more."""


def _request(process: Process, script: Path) -> None:
    pid = process.pid
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


def _wait_for(answer: int, process: Process, deadline_mono: float) -> bytes:
    while True:
        size = os.fstat(answer).st_size
        if size > 1 and os.pread(answer, 2, size - 2) == b"\n\n":
            return os.pread(answer, size, 0)
        if not _is_there(process.pid):
            raise Unasked(f"process {process.pid} ended before it could answer.")
        if time.monotonic() > deadline_mono:
            if size:
                unfinished = "began to answer but did not finish in time: use a longer --timeout."
                raise Unasked(f"process {process.pid} {unfinished}")
            raise TimeoutError
        time.sleep(_LOOK_S)


def _is_anothers(process: Process) -> bool:
    return hasattr(os, "geteuid") and os.geteuid() != process.uid


def _remove(folder: Path, everything: bool) -> None:
    for name in ("answer", "look.py", "start.py") if everything else ("answer",):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _remove_leftovers(pid: int | None = None, besides: Path | None = None) -> None:
    """Remove what was left for processes that ended, or for earlier requests that ours has replaced in *pid*."""
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
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
