"""The line that the main thread of another process is at, read from outside: Python 3.14 and later."""

from __future__ import annotations

from typing import Any

from poolwitness.cli.dump.process import Process


def main_thread_at(process: Process) -> str:
    """The innermost line of the main thread that is neither frozen nor the standard library's threading.

    Args:
        process: a process of this interpreter's own version.

    Returns:
        ``file:line in function``; empty where it could not be read.
    """
    try:
        # The module behind `python -m asyncio ps`. It is not public, so any part of it may be missing.
        import _remote_debugging  # type: ignore[import-not-found,unused-ignore]

        unwinder = _remote_debugging.RemoteUnwinder(process.pid, all_threads=True)
        for thread in _threads(unwinder.get_stack_trace()):
            if thread.thread_id == process.pid:
                for frame in thread.frame_info:
                    if not frame.filename.startswith("<frozen ") and not frame.filename.endswith("threading.py"):
                        return f"{frame.filename}:{_line(frame)} in {frame.funcname}"
    except Exception:  # noqa: BLE001 - an internal interface: it may change, or the process may end meanwhile
        pass
    return ""


def _threads(found: Any) -> list[Any]:
    # 3.14 lists threads, 3.15 interpreters with their threads.
    return [thread for each in found for thread in getattr(each, "threads", [each])]


def _line(frame: Any) -> int:
    location = getattr(frame, "location", None)
    return int(getattr(location, "lineno", 0) if location is not None else frame.lineno)
