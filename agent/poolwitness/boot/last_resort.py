"""Write one line on descriptor 2 when nothing else of the agent is loaded, or works."""

# No annotations from __future__: that is a module to import.

# Nothing is imported later: the program may have changed its root directory.
import json
import os
import sys
import time

from poolwitness._version import SCHEMA_VERSION
from poolwitness.model.startup import clock, system


def complain(sentence: str) -> None:
    """Report in one sentence, ``poolwitness.agent.failed``, that the agent is off; never waits, never raises.

    Args:
        sentence: what is wrong and what to do.
    """
    try:
        if getattr(sys, "__stderr__", None) is None:  # it was closed at the start: 2 may be another file by now
            return
        line = f"poolwitness: {sentence}\n" if os.isatty(2) else _event(sentence)
        if _is_writable(2):
            system.write(2, line.encode("ascii", "backslashreplace"))
    except Exception:  # noqa: BLE001 - there is no other way to report it
        pass


def _event(sentence: str) -> str:
    now = clock.now()
    event = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z",
        "level": "warning",
        "event": "poolwitness.agent.failed",
        "message": sentence,
        "logger": "poolwitness",
        "process.pid": os.getpid(),
        "poolwitness.schema_version": SCHEMA_VERSION,
        "poolwitness.run_id": os.urandom(8).hex(),
        "poolwitness.seq": 1,
    }
    return json.dumps(event, separators=(",", ":")) + "\n"


def _is_writable(fd: int) -> bool:
    # A full pipe would block the program; one without a reader would kill it if SIGPIPE has its default action.
    if system.poll is None:
        return True
    poll = system.poll()
    poll.register(fd, system.POLLOUT)
    return bool(poll.poll(0) == [(fd, system.POLLOUT)])
