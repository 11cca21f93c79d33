"""Know that this process is a forked child: from the fork hook, or from memory that the kernel wipes in a child.

The hook only appends and clears; the agent takes it in at its next step. A fork from C (uWSGI's) runs no hook, and
asking for the pid is a system call, too dear for every checkout: so ``home`` lies in a page of memory that Linux
wipes in every child, whoever forks.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from typing import Any

try:
    import ctypes
except ImportError:  # a Python built without libffi
    ctypes = None  # type: ignore[assignment]

_WIPE_ON_FORK = 18  # MADV_WIPEONFORK, Linux 4.14; the mmap module does not name it

_listening: list[deque[int]] = []
_registered: list[bool] = []
# The pids of the last child whose hook was run, and of the last one where it was missed.
_hooked_in: deque[int] = deque(maxlen=1)
_untold_in: deque[int] = deque(maxlen=1)


def _page() -> Any:
    """A page that is all zeros in a child; None where the system has none to give."""
    if ctypes is None:
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except (AttributeError, OSError, ValueError):  # Windows has no such flags, macOS no such advice
        return None
    return page


class _Flag:
    """What stands in for a byte of the page."""

    value = 1

    def __bool__(self) -> bool:
        return bool(self.value)


_wiped = _page()

# True where every pool that the process knows is its own: to test it costs no more than to test a list.
home: Any = _Flag() if _wiped is None else ctypes.c_ubyte.from_buffer(_wiped, 0)
_told: Any = _Flag() if _wiped is None else ctypes.c_ubyte.from_buffer(_wiped, 1)
home.value = _told.value = 1


def watch(forked: deque[int]) -> None:
    """Append to *forked* in every child from now on; hooks cannot be taken back, so one serves for good."""
    _listening.append(forked)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered.append(True)
        os.register_at_fork(after_in_child=_after_fork)


def forget() -> None:
    """Stop appending."""
    _listening.clear()


def notice(pid: int) -> None:
    """Do what the hook does, in a child where it was not run.

    Args:
        pid: the process that the caller believes to be in; looked at only where no memory is wiped.
    """
    if (not _told) if _wiped is not None else os.getpid() != pid:
        _untold_in.append(os.getpid())
        _in_child()


def is_untold() -> bool:
    """Whether this process is a child of a fork that Python was not told of: its hooks were not run."""
    pid = os.getpid()
    return pid in _untold_in and pid not in _hooked_in


def settle(own: bool) -> None:
    """The fork has been taken in.

    Args:
        own: there is no pool of the parent's left that could be used here.
    """
    home.value = own


def _after_fork() -> None:
    _hooked_in.append(os.getpid())
    _in_child()


def _in_child() -> None:
    home.value, _told.value = 0, 1
    for forked in _listening:
        forked.append(1)
