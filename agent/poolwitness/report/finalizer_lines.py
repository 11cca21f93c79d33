"""Lines that pool finalizers write while the interpreter is ending: rendered at the verdict, with gaps to fill.

At that time imports fail, module globals may be gone and other threads are frozen: a notice holds bytes and
bound functions, and takes no lock.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from poolwitness.model.findings import Finding
from poolwitness.model.records import PoolRecord
from poolwitness.model.startup import clock, system
from poolwitness.report import build
from poolwitness.report.descriptors import is_regular, write_at_once
from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import Pipeline, prepared
from poolwitness.report.sinks import FdSink, Render, stderr_sink

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
# Stand in for the name and the number of a pool; no program has them.
_NAME = "@@@name@@@"
_ID = 987654321987654
_NAME_GAP, _ID_GAP = _NAME.encode(), str(_ID).encode()
# What JSON, repr() and a terminal all leave as it is.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_. :-]{1,60}")

MOST_LINES = 100

Template = tuple[FdSink, bytes]
_GAPS = tuple(text.encode() for text in (*VALUES.values(), DELAY, KIND))


class LateTotals:
    """What all finalizers of the process cost together."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0


class LateExit:
    """Makes the notices of a process.

    Args:
        pipeline: its envelope and its descriptors; where it has none, stderr is used, since neither logging nor
            structlog can be called that late.
        exit_delayed: makes the finding of a pool, given the texts that stand for the delay and the exception's name.
        render: makes the lines for stderr.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        python: tuple[int, int, int],
        exit_delayed: Callable[[PoolRecord, tuple[int, int, int], str, str], Finding],
        render: Render = render_json,
    ) -> None:
        self.pipeline = pipeline
        self.python = python
        self.exit_delayed = exit_delayed
        self.totals = LateTotals()
        self._shapes: dict[object, tuple[list[Template], list[Template]]] = {}
        self.sinks = pipeline.fd_sinks()
        if not self.sinks and pipeline.sinks:
            fallback = stderr_sink(lambda terminal: render)
            self.sinks = [fallback] if fallback is not None else []

    def finding(self, pool: PoolRecord) -> Finding:
        """The finding of a pool, without what will be measured."""
        return self.exit_delayed(pool, self.python, DELAY, "")

    def notice(self, pool: PoolRecord) -> Callable[[float, str | None], None]:
        """What the pool's finalizer calls; pools of one line share what was rendered for the first."""
        if not _PLAIN_NAME.fullmatch(pool.info.name):
            return _notice(*self._both(pool), self.totals, self.pipeline.seq)
        info = pool.info
        sizes = (pool.min_size, pool.max_size, info.num_workers)
        key = (info.created, info.cls, info.database, info.created_in, sizes)
        shapes = self._shapes.get(key)
        if shapes is None:
            shapes = self._shapes[key] = self._both(pool._replace(info=info._replace(name=_NAME, id=_ID)))
        own = ((_NAME_GAP, info.name.encode()), (_ID_GAP, str(info.id).encode()))
        return _notice(*shapes, self.totals, self.pipeline.seq, own)

    def _both(self, pool: PoolRecord) -> tuple[list[Template], list[Template]]:
        raised = self.exit_delayed(pool, self.python, DELAY, KIND)
        return self._templates(self.finding(pool), False), self._templates(raised, True)

    def _templates(self, finding: Finding, raised: bool) -> list[Template]:
        event = prepared(self.pipeline.envelope("poolwitness.finding", build.finding(finding), seq=0))
        # The gaps are texts, also where a number will stand.
        event |= {name: gap.strip('"') for name, gap in VALUES.items()}
        if raised:
            event["exception.type"] = KIND
        return [(sink, sink.render(event)) for sink in self.sinks]


def _notice(
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
