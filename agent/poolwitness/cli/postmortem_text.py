"""What a dead process left, for a person at a terminal."""

from __future__ import annotations

import linecache
import os
import stat
from collections.abc import Iterator, Sequence

from poolwitness.blackbox.contents import Remains
from poolwitness.cli.postmortem_events import headline, state_of, worth_telling
from poolwitness.model.findings import Finding
from poolwitness.model.wording import at_call, at_line, holder_of, out_of, plural, pool_label
from poolwitness.report.redact import clean_text

LARGEST_SOURCE = 4 * 1024 * 1024


def text_of(remains: Remains) -> str:
    """Everything but the findings, as lines."""
    return "\n".join(clean_text(line) for line in _lines(remains)) + "\n"


def _lines(remains: Remains) -> Iterator[str]:
    yield f"poolwitness: {headline(remains)}"
    for pool in worth_telling(remains):
        waiting = [request for request in remains.waiting if request.pool_id == pool.info.id]
        inherited = ", inherited from the parent process" if pool.life.inherited else ""
        lost = f", {plural(len(pool.lost), 'slot')} lost for good" if pool.lost else ""
        yield f"  {pool_label(pool)}, {pool.life.state}{inherited}, made at {at_line(pool.info.created.origin)}"
        yield (f"    {out_of(len(pool.checkouts), pool.most)} out, {plural(len(waiting), 'request')} waiting{lost}")
        for checkout in pool.checkouts:
            row = f"{checkout.held_s:8.1f} s  {at_call(checkout.taken)}  by {holder_of(checkout)}"
            yield f"    held   {row}{state_of(checkout)}"
        for request in waiting:
            who = f"{'task' if request.in_task else 'thread'} {request.holder!r}"
            yield f"    waited {request.waited_s:8.1f} s  {at_line(request.request.origin)}  by {who}"


def mind_sources(found: Sequence[Finding]) -> None:
    """Keep the renderer from reading what is no source: a file of somebody else's names any path it likes."""
    for finding in found:
        if finding.at is not None and not _is_source(finding.at.file):
            linecache.cache[finding.at.file] = (0, None, [], finding.at.file)


def _is_source(path: str) -> bool:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return False
    return os.path.isabs(path) and stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_SOURCE
