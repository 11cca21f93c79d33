"""What is loaded when a program makes its first pool, and not with psycopg_pool: all that tells of pools.

Snapshots, rules, lines, the sweeper, the door and the verdict take longer to load than all that watches. They begin at
`telling`, and are loaded in the thread of the program's that makes the pool, or that asks what is known: never in a
thread of ours, a finalizer, a signal handler or a fork hook.

Python lets a forked child wait for ever for the lock of a module that another thread of its parent was importing. So
nothing is loaded here that a program could import: the libraries, and what these modules need of the standard library,
are imported with psycopg_pool. A child that was forked while another thread was loading does not try to, and goes on
without the agent.
"""

from __future__ import annotations

import errno
import fnmatch
import gc
import os
import socket
import struct
import tempfile
import threading
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING

from poolwitness.boot import _complain
from poolwitness.snapshot import threads

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from poolwitness.telling import Telling
    from poolwitness.watching import Watching

# Imported for those modules; two of ours name psutil, and what gives a sha256. structlog is loaded with the outputs.
NEEDED_LATER = (errno, fcntl, fnmatch, gc, socket, struct, tempfile, urllib.parse, threads)

# The threads that are loading, by their identifier, and in which process: a child has the parent's, and never theirs.
_loading: dict[int, int] = {}


class Later:
    """What tells of pools, once it is loaded.

    Args:
        watching: what there is.
        at_exit: to be called by the hooks of the process's end, with their name.
    """

    def __init__(self, watching: Watching, at_exit: Callable[[str], None]) -> None:
        self.watching = watching
        self.at_exit = at_exit
        self.telling: Telling | None = None
        self._off = False
        self._made: dict[str, Telling] = {}

    def load(self) -> Telling | None:
        """What tells of pools; None where that cannot be loaded, and the agent is off, or not from here.

        No lock: threads that make their first pools at once wait for each other at Python's own, and the first that
        is done is the one that is heard.
        """
        if self.telling is not None or self._off:
            return self.telling
        ident, pid = threading.get_ident(), os.getpid()
        if any(other != pid for other in _loading.copy().values()):
            self._give_up("was forked while another thread of its parent made the first pool")
            return None
        if ident in _loading:  # a signal handler of the program's, in the middle of it
            return None
        try:
            _loading[ident] = pid
            from poolwitness.telling import Telling

            made = Telling(self.watching, self.at_exit)
            telling = self._made.setdefault("telling", made)
            if telling is made:
                made.install()
        except (RecursionError, MemoryError):  # the program's own is at its end
            return None
        except Exception as error:  # noqa: BLE001 - a watcher that cannot be loaded must not stop the program
            self._give_up(f"could not load the agent ({type(error).__name__})")
            return None
        finally:
            _loading.pop(ident, None)
        if not self._off:
            self.telling = telling
        return self.telling

    def end(self) -> None:
        """Load nothing any more."""
        self._off = True

    def _give_up(self, why: str) -> None:
        self.end()
        self.watching.switch_off()
        _complain(f"this process {why}, so the agent is off in it; the program runs on without it")
