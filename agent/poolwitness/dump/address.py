"""The address of a process's dump socket, which both ends derive from its pid."""

from __future__ import annotations

import os
import sys
import tempfile

from poolwitness.guards import let_pass

Address = str | bytes


def own_address() -> Address:
    """The address of this process."""
    if sys.platform == "linux":
        return _abstract(_pid_namespace("self"), os.getpid())
    return path_of(os.getpid(), os.getuid() if hasattr(os, "getuid") else 0)


def address_of(pid: int, uid: int) -> Address:
    """The address of another process; *pid* is as seen from here."""
    if sys.platform == "linux":
        return _abstract(_pid_namespace(pid), _innermost_pid(pid))
    return path_of(pid, uid)


def path_of(pid: int, uid: int) -> str:
    """The socket's file on systems without abstract names, in a directory that only its user can enter."""
    return os.path.join(tempfile.gettempdir(), f"poolwitness-{uid}", f"{pid}.sock")


def _abstract(namespace: str, pid: int) -> bytes:
    # Containers that share a network share these names, and each of them has a process 1.
    return f"\0poolwitness-{namespace}-{pid}".encode()


def _pid_namespace(pid: int | str) -> str:
    for name in (pid, "self"):
        try:
            return os.readlink(f"/proc/{name}/ns/pid").strip("pid:[]")
        except OSError as error:
            let_pass(error)
            continue
    return "0"


def _innermost_pid(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except (OSError, ValueError) as error:
        let_pass(error)
    return pid
