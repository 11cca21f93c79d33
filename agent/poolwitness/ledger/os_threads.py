"""Ask the operating system about threads and processes: the one module that imports psutil."""

from __future__ import annotations

import os
import sys
from typing import Any

import psutil

from poolwitness.guards import let_pass


class ThreadSample:
    """CPU time, state and context switches of one thread at one moment; None for what this system does not report."""

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
    """Sample those of these threads that have not ended; the start times are taken from *previous* samples."""
    samples: dict[int, ThreadSample] = {}
    if sys.platform == "linux":
        known = previous or {}
        # Reading the boot time takes a millisecond on a machine with many processors.
        booted_at = _booted_at() if native_ids - known.keys() else None
        for native_id in native_ids:
            # It has ended, or the kernel gives less.
            try:
                samples[native_id] = _of_proc(native_id, known.get(native_id), booted_at)
            except (OSError, IndexError, ValueError) as error:
                let_pass(error)
        return samples
    for thread in psutil.Process(os.getpid()).threads():
        if thread.id in native_ids:
            found = samples[thread.id] = ThreadSample()
            found.cpu_user_s = thread.user_time
            found.cpu_system_s = thread.system_time
    return samples


def _booted_at() -> float | None:
    try:
        return float(psutil.boot_time())
    except (OSError, RuntimeError) as error:  # a container that hides it
        let_pass(error)
        return None


def _of_proc(native_id: int, earlier: ThreadSample | None, booted_at: float | None) -> ThreadSample:
    # psutil reads all threads to give the times of one, and takes half a millisecond to give the state of one.
    with open(f"/proc/self/task/{native_id}/stat", "rb") as stat:
        # proc_pid_stat(5): the name, in parentheses, may hold any character; the state is field 3.
        fields = stat.read().rpartition(b")")[2].split()
    with open(f"/proc/self/task/{native_id}/status", "rb") as status:
        switches = dict(line.split(b":", 1) for line in status.read().splitlines() if b"ctxt_switches" in line)
    ticks_a_second = os.sysconf("SC_CLK_TCK")
    found = ThreadSample()
    found.state = _STATES.get(fields[0])
    found.cpu_user_s = int(fields[11]) / ticks_a_second
    found.cpu_system_s = int(fields[12]) / ticks_a_second
    if earlier is not None:
        found.started_at = earlier.started_at
    elif booted_at is not None:
        found.started_at = booted_at + int(fields[19]) / ticks_a_second
    if len(switches) == 2:
        found.switches_voluntary = int(switches[b"voluntary_ctxt_switches"])
        found.switches_involuntary = int(switches[b"nonvoluntary_ctxt_switches"])
    return found


# proc_pid_stat(5), under psutil's names.
_STATES: dict[bytes, str] = {
    b"R": psutil.STATUS_RUNNING,
    b"S": psutil.STATUS_SLEEPING,
    b"D": psutil.STATUS_DISK_SLEEP,
    b"T": psutil.STATUS_STOPPED,
    b"t": psutil.STATUS_TRACING_STOP,
    b"Z": psutil.STATUS_ZOMBIE,
    b"X": psutil.STATUS_DEAD,
    b"I": psutil.STATUS_IDLE,
}


def started(pid: int) -> int:
    """When a process started, in a unit of the system's own; 0 if it is not running."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                after_name = stat.read().rpartition(b")")[2].split()
        except OSError as error:
            let_pass(error)
            return 0
        # proc_pid_stat(5): state and starttime, in ticks since the system started, are fields 3 and 22.
        return 0 if after_name[0] in (b"Z", b"X") else int(after_name[19])
    try:
        process = psutil.Process(pid)
        return 0 if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 1000)
    except psutil.Error as error:
        let_pass(error)
        return 0


def count() -> int:
    """How many threads this process has, ours and the program's."""
    return int(psutil.Process(os.getpid()).num_threads())
