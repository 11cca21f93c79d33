"""Writes lines while the interpreter is ending: they are rendered beforehand, with gaps to fill.

At that time imports fail, module globals may be gone and other threads are frozen: a notice holds bytes and
bound functions, and takes no lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from poolwitness.model.startup import clock, system
from poolwitness.report.descriptors import is_regular, write_at_once
from poolwitness.report.sinks import FdSink

# Stand-ins of the templates: plain ASCII that JSON leaves as it is, and as wide as what replaces it may be.
DELAY = "@@@delay@@@"
KIND = "@@@@@@@@@@@@@@@@exception@@@@@@@@@@@@@@@"
# By the fields that they are put in; those in quotes make room for a number.
VALUES = {
    "poolwitness.exit_delay_s": '"@@@delay_s@@@"',
    "poolwitness.exit_delay_total_s": '"@@@total_s@@@"',
    "poolwitness.exits_delayed": '"@@@count@@@"',
    "poolwitness.seq": '"@@@seq@@@"',
    "timestamp": "@@@@@@@@@@@@time@@@@@@@@@@@",
}
MOST_LINES = 100

Template = tuple[FdSink, bytes]
_GAPS = tuple(text.encode() for text in (*VALUES.values(), DELAY, KIND))


class LateTotals:
    """What all finalizers of the process cost together."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0


def notice(
    delayed: list[Template],
    raised: list[Template],
    totals: LateTotals,
    seq: Iterator[int],
    own: tuple[tuple[bytes, bytes], ...] = (),
) -> Callable[[float, str | None], None]:
    """What a finalizer calls: ``write(delay_s, exception_name or None)`` writes the line that fits.

    Args:
        delayed: a template a sink, for a finalizer that took time.
        raised: the same for one that raised.
        totals: shared by the notices of a process.
        seq: the process's numbering of lines.
        own: what to put in the place of what, in a template that pools share.
    """
    fstat, now, gmtime, strftime = os.fstat, clock.now, time.gmtime, time.strftime
    failures = Exception
    most, widest, gaps = MOST_LINES, len(KIND), _GAPS
    writable = system.POLLOUT
    targets_delayed = [_target(sink, template) for sink, template in delayed]
    targets_raised = [_target(sink, template) for sink, template in raised]

    def write_notice(delay_s: float, kind: str | None) -> None:
        totals.count += 1
        totals.seconds += delay_s
        if totals.count > most and totals.count & (totals.count - 1):
            return  # after so many, only those whose number is a power of two
        moment = now()
        stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(moment)) + f".{int(moment % 1 * 1e6):06d}Z"
        fills = (
            b"%.6f" % delay_s,
            b"%.6f" % totals.seconds,
            b"%d" % totals.count,
            b"%d" % next(seq),
            stamp.encode(),
            b"%.1f" % delay_s,
            # The class is the application's: its name may be anything.
            "".join([letter for letter in kind or "" if letter.isalnum() or letter == "_"])[:widest].encode(
                "ascii", "replace"
            ),
        )
        for fd, identity, wait, write, template in targets_delayed if kind is None else targets_raised:
            try:
                found = fstat(fd)
                if (found.st_dev, found.st_ino) != identity or (wait is not None and wait(0) != [(fd, writable)]):
                    continue
                for gap, fill in own:
                    template = template.replace(gap, fill)
                for gap, fill in zip(gaps, fills, strict=True):
                    template = template.replace(gap, fill)
                while template:
                    template = template[write(fd, template[:4096]) :]
            except failures:
                continue

    return write_notice


def _target(sink: FdSink, template: bytes) -> tuple[int, Any, Any, Callable[[int, bytes], int], bytes]:
    poll, write = None, system.write if is_regular(sink.fd) else write_at_once
    if system.poll is not None:
        poller = system.poll()
        poller.register(sink.fd, system.POLLOUT)
        poll = poller.poll
    return sink.fd, sink.identity, poll, write, template
