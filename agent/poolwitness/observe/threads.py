"""What the operating system knows of threads: the one module that names psutil."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
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
    for native_id, user_s, system_s in _cpu_times(native_ids):
        found = samples[native_id] = ThreadSample()
        found.cpu_user_s = user_s
        found.cpu_system_s = system_s
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


def _cpu_times(native_ids: set[int]) -> Iterator[tuple[int, float, float]]:
    """The CPU times of the threads that are still there: id, user and system seconds."""
    if sys.platform != "linux":
        for thread in psutil.Process(os.getpid()).threads():
            if thread.id in native_ids:
                yield thread.id, thread.user_time, thread.system_time
        return
    # psutil asks about every thread of the process, which costs a program with hundreds of them milliseconds.
    ticks_a_second = os.sysconf("SC_CLK_TCK")
    for native_id in native_ids:
        try:
            with open(f"/proc/self/task/{native_id}/stat", "rb") as stat:
                line = stat.read()
        except OSError:
            continue
        # proc_pid_stat(5): the name, in parentheses, may hold any character; utime and stime are fields 14 and 15.
        after_name = line.rpartition(b")")[2].split()
        yield native_id, int(after_name[11]) / ticks_a_second, int(after_name[12]) / ticks_a_second


def started(pid: int) -> int:
    """When a process started, in a unit of the system's own by which two can be told apart; 0 where none is running."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                after_name = stat.read().rpartition(b")")[2].split()
        except OSError:
            return 0
        # proc_pid_stat(5): state and starttime, in ticks since the system started, are fields 3 and 22.
        return 0 if after_name[0] in (b"Z", b"X") else int(after_name[19])
    try:
        process = psutil.Process(pid)
        return 0 if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 1000)
    except psutil.Error:
        return 0


def count() -> int:
    """How many threads this process has, ours and the program's."""
    return int(psutil.Process(os.getpid()).num_threads())
