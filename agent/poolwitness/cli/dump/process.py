"""The process to ask: whether it exists, its user, its Python, and whether its agent is switched on."""

from __future__ import annotations

import os
import re
import signal
import sys
from dataclasses import dataclass

from poolwitness.cli.dump import Unanswered

_EXTENSION = re.compile(r"(?:libpython|/python|cpython-)3\.?(\d{1,2})(?:t|d|-|\.so|/|$)")


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the operating system shows it; ``series`` is None where its Python is not known."""

    pid: int
    uid: int
    program: str = ""
    series: tuple[int, int] | None = None
    agent_wanted: bool = False
    elsewhere: bool = False
    catches: tuple[str, ...] = ()

    @property
    def python(self) -> str:
        """``Python 3.14``."""
        return f"Python {self.series[0]}.{self.series[1]}" if self.series else "Python"


def inspect(pid: int) -> Process:
    """What the operating system knows about a process, on other systems than Linux little more than its user.

    Raises:
        Unanswered: the process does not exist, has ended, belongs to another user, or is not Python.
    """
    if sys.platform != "linux":
        return _inspect_with_psutil(pid)
    status = _status(pid)
    if status.get("Tgid", str(pid)) != str(pid):
        raise Unanswered(f"{pid} is a thread of process {status['Tgid']}; run `poolwitness dump {status['Tgid']}`.")
    if status.get("State", "").startswith(("Z", "X")):
        raise Unanswered(f"process {pid} has ended and waits for its parent to notice; there is nothing left to ask.")
    uid = int(status.get("Uid", "0").split()[0])
    if os.geteuid() not in (0, uid):
        how = f"run the command as that user or as root: `sudo poolwitness dump {pid}`."
        raise Unanswered(f"process {pid} belongs to {_name_of(uid)}; {how}")
    try:
        exe = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        # A kernel thread has none, and that of a privileged process is hidden.
        exe = ""
    # Embedded (uWSGI, frozen programs), or a name without a version: look at the libraries that are loaded.
    maps = _read(f"/proc/{pid}/maps").splitlines()
    series = next((found for path in (exe, *maps) if (found := _series_of(path)) is not None), None)
    name = status.get("Name", "?")
    if series is None and exe and maps:
        raise Unanswered(f"process {pid} ({name}) is not a Python process, or has only just been started.")
    if not exe and uid == 0 and "VmSize" not in status:
        raise Unanswered(f"process {pid} ({name}) is a thread of the kernel, not a Python process.")
    environ = _read(f"/proc/{pid}/environ").split("\0")
    return Process(
        pid=pid,
        uid=uid,
        program=_interpreter(pid, exe),
        series=series,
        agent_wanted=any(entry.startswith("POOLWITNESS=") and entry != "POOLWITNESS=0" for entry in environ),
        elsewhere=_namespace(pid, "mnt") != _namespace("self", "mnt"),
        catches=_caught(status.get("SigCgt", "0")),
    )


def _inspect_with_psutil(pid: int) -> Process:
    import psutil

    try:
        process = psutil.Process(pid)
        uid = process.uids().real if hasattr(process, "uids") else 0
        return Process(pid, uid, series=_series_of(process.exe()))
    except psutil.NoSuchProcess:
        raise Unanswered(f"there is no process {pid}.") from None
    except psutil.AccessDenied:
        raise Unanswered(f"process {pid} belongs to another user; run the command as that user or as root.") from None


def _status(pid: int) -> dict[str, str]:
    text = _read(f"/proc/{pid}/status")
    if not text:
        raise Unanswered(f"there is no process {pid}.")
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _series_of(path: str) -> tuple[int, int] | None:
    match = _EXTENSION.search(path)
    return (3, int(match[1])) if match else None


def _interpreter(pid: int, exe: str) -> str:
    """The path that starts this Python, an environment's where it runs in one."""
    program = _read(f"/proc/{pid}/cmdline").partition("\0")[0]
    return program if program.startswith("/") and os.path.realpath(program) == exe else exe


def _caught(mask: str) -> tuple[str, ...]:
    bits = int(mask, 16)
    return tuple(name.name for name in signal.Signals if bits >> (name - 1) & 1)


def _namespace(pid: int | str, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""


def _name_of(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def main_thread_at(process: Process) -> str:
    """The innermost line of the main thread that is neither frozen nor threading's, as ``file:line in function``.

    The process must run this interpreter's own version. Empty where the line could not be read.
    """
    try:
        # The module behind `python -m asyncio ps`. It is not public, so any part of it may be missing.
        import _remote_debugging  # type: ignore[import-not-found,unused-ignore]

        found = _remote_debugging.RemoteUnwinder(process.pid, all_threads=True).get_stack_trace()
        # 3.14 lists threads, 3.15 interpreters with their threads.
        threads = [thread for each in found for thread in getattr(each, "threads", [each])]
        for frame in next(thread.frame_info for thread in threads if thread.thread_id == process.pid):
            if not frame.filename.startswith("<frozen ") and not frame.filename.endswith("threading.py"):
                line = (getattr(frame, "location", None) or frame).lineno
                return f"{frame.filename}:{line} in {frame.funcname}"
    except Exception:  # noqa: BLE001 - an internal interface: it may change, or the process may end meanwhile
        pass
    return ""
