"""Lines that pool finalizers write at exit, rendered in advance at the verdict."""

from __future__ import annotations

import re
from collections.abc import Callable

from poolwitness.model.findings import Finding
from poolwitness.model.records import PoolRecord
from poolwitness.report import build
from poolwitness.report import finalizer_lines as late
from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import Pipeline, prepared
from poolwitness.report.sinks import Render, stderr_sink

# Stand in for the name and the number of a pool; no program has them.
_NAME = "@@@name@@@"
_ID = 987654321987654
_NAME_GAP, _ID_GAP = _NAME.encode(), str(_ID).encode()
# What JSON, repr() and a terminal all leave as it is.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_. :-]{1,60}")


ExitDelayed = Callable[[PoolRecord, tuple[int, int, int], str, str], Finding]


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
        exit_delayed: ExitDelayed,
        render: Render = render_json,
    ) -> None:
        self.pipeline = pipeline
        self.python = python
        self.exit_delayed = exit_delayed
        self.totals = late.LateTotals()
        self._shapes: dict[object, tuple[list[late.Template], list[late.Template]]] = {}
        self.sinks = pipeline.fd_sinks()
        if not self.sinks and pipeline.sinks:
            fallback = stderr_sink(lambda terminal: render)
            self.sinks = [fallback] if fallback is not None else []

    def finding(self, pool: PoolRecord) -> Finding:
        """The finding of a pool, without what will be measured."""
        return self.exit_delayed(pool, self.python, late.DELAY, "")

    def notice(self, pool: PoolRecord) -> Callable[[float, str | None], None]:
        """What the pool's finalizer calls; pools of one line share what was rendered for the first."""
        if not _PLAIN_NAME.fullmatch(pool.info.name):
            return late.notice(*self._both(pool), self.totals, self.pipeline.seq)
        info = pool.info
        sizes = (pool.min_size, pool.max_size, info.num_workers)
        key = (info.created, info.cls, info.database, info.created_in, sizes)
        shapes = self._shapes.get(key)
        if shapes is None:
            shapes = self._shapes[key] = self._both(pool._replace(info=info._replace(name=_NAME, id=_ID)))
        own = ((_NAME_GAP, info.name.encode()), (_ID_GAP, str(info.id).encode()))
        return late.notice(*shapes, self.totals, self.pipeline.seq, own)

    def _both(self, pool: PoolRecord) -> tuple[list[late.Template], list[late.Template]]:
        raised = self.exit_delayed(pool, self.python, late.DELAY, late.KIND)
        return self._templates(self.finding(pool), False), self._templates(raised, True)

    def _templates(self, finding: Finding, raised: bool) -> list[late.Template]:
        event = prepared(self.pipeline.envelope("poolwitness.finding", build.finding(finding), seq=0))
        # The gaps are texts, also where a number will stand.
        event |= {name: gap.strip('"') for name, gap in late.VALUES.items()}
        if raised:
            event["exception.type"] = late.KIND
        return [(sink, sink.render(event)) for sink in self.sinks]
