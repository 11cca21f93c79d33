"""Detect that this process is a forked child: from the fork hook, or from memory that the kernel wipes in a child.

The hook only appends and clears; the ledger takes it in at its next step. A fork from C (uWSGI's) runs no hook, and
asking for the pid is a system call, too slow for each checkout: so `owns_all_pools` is a byte in a page of memory that
Linux wipes in every child.
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

_watching: list[deque[int]] = []
_registered: list[bool] = []
# The pids of the last child whose hook ran, and of the last one in which it did not.
_hooked_in: deque[int] = deque(maxlen=1)
_unhooked_in: deque[int] = deque(maxlen=1)


def _page() -> Any:
    """A page that is all zeros in a child; None if the system has none to give."""
    if ctypes is None:
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except (AttributeError, OSError, ValueError):  # Windows has no such flags, macOS no such advice
        return None
    return page


class _Flag:
    """Stands in for a byte of the page."""

    value = 1

    def __bool__(self) -> bool:
        return bool(self.value)


_wiped = _page()

# True if every pool that the process knows is its own: testing it costs no more than testing a list.
owns_all_pools: Any = _Flag() if _wiped is None else ctypes.c_ubyte.from_buffer(_wiped, 0)
_detected: Any = _Flag() if _wiped is None else ctypes.c_ubyte.from_buffer(_wiped, 1)
owns_all_pools.value = _detected.value = 1


def watch(forked: deque[int]) -> None:
    """Append to *forked* in every child from now on; fork hooks cannot be removed, so one is registered for good."""
    _watching.append(forked)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered.append(True)
        os.register_at_fork(after_in_child=_after_fork)


def uninstall() -> None:
    """Stop appending."""
    _watching.clear()


def detect_fork(pid: int) -> None:
    """Do what the hook does, in a child in which it did not run.

    Args:
        pid: the process that the caller believes to be in; compared only if no memory is wiped.
    """
    if (not _detected) if _wiped is not None else os.getpid() != pid:
        _unhooked_in.append(os.getpid())
        _in_child()


def is_without_hooks() -> bool:
    """Whether this process is a child of a fork in which Python's fork hooks did not run."""
    pid = os.getpid()
    return pid in _unhooked_in and pid not in _hooked_in


def acknowledge_fork(owns_all: bool) -> None:
    """The fork has been taken in.

    Args:
        owns_all: no pool of the parent is left that could be used here.
    """
    owns_all_pools.value = owns_all


def _after_fork() -> None:
    _hooked_in.append(os.getpid())
    _in_child()


def _in_child() -> None:
    owns_all_pools.value, _detected.value = 0, 1
    for forked in _watching:
        forked.append(1)
