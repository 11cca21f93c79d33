"""What a dead process left: the records that a black box holds beside those of a snapshot."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from poolwitness._version import __version__
from poolwitness.blackbox.identity import Identity
from poolwitness.config import Config
from poolwitness.model.records import PoolRecord, ProcessRecord, Snapshot, WaitingRequest

MOMENT = "postmortem"


class ProcessDocument(NamedTuple):
    """What is known of a process from the start: itself, and the settings that rules go by."""

    process: ProcessRecord
    agent: str
    held_limit_s: float
    ignore: tuple[str, ...] = ()

    @classmethod
    def of_this_process(cls, config: Config, versions: dict[str, tuple[int, ...]]) -> ProcessDocument:
        """What a process says of itself.

        Args:
            config: its settings.
            versions: the installed releases.
        """
        program = getattr(sys, "argv", None) or [""]
        python = (sys.version_info.major, sys.version_info.minor, sys.version_info.micro)
        process = ProcessRecord(os.getpid(), python, versions, argv0=program[0])
        return cls(process, __version__, config.held_s, config.ignore)


class PoolDocument(NamedTuple):
    """A pool without its connections, and when a request was last refused (monotonic; 0 for never)."""

    pool: PoolRecord
    refused_mono: float = 0.0


class Remains(NamedTuple):
    """One file, read.

    ``last_seen_at`` is the latest moment at which the process is known to have been alive, in seconds since the
    epoch; the snapshot is of that moment.
    """

    path: str
    identity: Identity
    done: bool
    made_at: float
    last_seen_at: float
    agent: str
    snapshot: Snapshot
    waiting: tuple[WaitingRequest, ...]
    ignore: tuple[str, ...]
    dropped: dict[str, int]
