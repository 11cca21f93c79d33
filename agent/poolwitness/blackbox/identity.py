"""Which process wrote a black box file, and whether it is still running."""

from __future__ import annotations

import os
from typing import NamedTuple

from poolwitness.blackbox.format import SUFFIX
from poolwitness.guards import let_pass
from poolwitness.ledger import os_threads


class Identity(NamedTuple):
    """A process, distinguished from every other that has had or will have its pid.

    ``started`` is what `os_threads.started` gives; ``boot`` and ``namespace`` are zero on systems without them.
    """

    pid: int
    started: int
    boot: bytes = bytes(16)
    namespace: int = 0

    @property
    def name(self) -> str:
        """The name of the process's file, without its suffix."""
        return f"{self.pid}-{self.started}"

    def is_alive(self) -> bool:
        """Whether that process is running; False if it cannot be seen from here: in another pid namespace."""
        return (
            self.boot == _boot()
            and self.namespace == _namespace()
            and self.started != 0
            and os_threads.started(self.pid) == self.started
        )


def own() -> Identity:
    """This process."""
    pid = os.getpid()
    return Identity(pid, os_threads.started(pid), _boot(), _namespace())


def named_by(path: str) -> Identity | None:
    """The process of this system that a file is named after; None if it is named otherwise."""
    parts = os.path.basename(path).removesuffix(SUFFIX).split("-")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        return None
    return Identity(int(parts[0]), int(parts[1]), _boot(), _namespace())


def _boot() -> bytes:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return bytes.fromhex(file.read().strip().replace("-", "")).ljust(16, b"\0")[:16]
    except (OSError, ValueError) as error:  # not Linux, or no /proc
        let_pass(error)
        return bytes(16)


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError as error:
        let_pass(error)
        return 0
