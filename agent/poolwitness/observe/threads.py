"""What the operating system knows of threads: the one module that names psutil."""

from __future__ import annotations

import os
import sys
from typing import Any

import psutil


class ThreadSample:
    """CPU time, state and context switches of one thread at one moment; None where this system does not tell."""

    __slots__ = ("cpu_system_s", "cpu_user_s", "started_at", "state", "switches_involuntary", "switches_voluntary")

    def __init__(self) -> None:
        self.cpu_user_s: float | None = None
        self.cpu_system_s: float | None = None
        self.started_at: float | None = None
        self.state: str | None = None
        self.switches_voluntary: int | None = None
        self.switches_involuntary: int | None = None

    def fields(self) -> dict[str, Any]:
        """The sample under the names of WorkerRecord."""
        return {name: getattr(self, name) for name in self.__slots__}


def sample(native_ids: set[int], previous: dict[int, ThreadSample] | None = None) -> dict[int, ThreadSample]:
    """Sample threads of this process.

    Args:
        native_ids: the threads wanted, by the operating system's ids.
        previous: earlier samples, whose start time need not be read again.

    Returns:
        A sample a thread that is still there.
    """
    samples: dict[int, ThreadSample] = {}
    for thread in psutil.Process(os.getpid()).threads():
        if thread.id in native_ids:
            found = samples[thread.id] = ThreadSample()
            found.cpu_user_s = thread.user_time
            found.cpu_system_s = thread.system_time
    if sys.platform != "linux":
        return samples
    for native_id, found in samples.items():
        # On Linux /proc/TID answers for a thread as /proc/PID does for a process.
        try:
            process = psutil.Process(native_id)
            with process.oneshot():
                found.state = process.status()
                switches = process.num_ctx_switches()
                earlier = (previous or {}).get(native_id)
                found.started_at = earlier.started_at if earlier is not None else process.create_time()
            found.switches_voluntary = switches.voluntary
            found.switches_involuntary = switches.involuntary
        except psutil.Error:
            continue
    return samples


def count() -> int:
    """How many threads this process has, ours and the program's."""
    return int(psutil.Process(os.getpid()).num_threads())
