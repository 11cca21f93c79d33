"""Which process wrote a black box, and whether it still lives."""

from __future__ import annotations

import os
from dataclasses import dataclass

from poolwitness.guards import let_pass
from poolwitness.ledger import os_threads


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told from every other that has had or will have its pid.

    ``started`` is what `os_threads.started` gives; ``boot`` and ``namespace`` are zero if the system has no such thing.
    """

    pid: int
    started: int
    boot: bytes = bytes(16)
    namespace: int = 0

    @property
    def name(self) -> str:
        """What the process's file is called, without its suffix."""
        return f"{self.pid}-{self.started}"

    def is_alive(self) -> bool:
        """Whether that process runs now; False where it cannot be seen from here: in another pid namespace."""
        return (
            self.boot == _boot()
            and self.namespace == _namespace()
            and self.started != 0
            and os_threads.started(self.pid) == self.started
        )


def own() -> Identity:
    """This process."""
    pid = os.getpid()
    return here(pid, os_threads.started(pid))


def here(pid: int, started: int) -> Identity:
    """A process of this system, seen from here."""
    return Identity(pid, started, _boot(), _namespace())


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
