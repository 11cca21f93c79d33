"""docs/ends.md, written from the cells that the tests prove."""

from __future__ import annotations

from pathlib import Path

from tests.processes.ends.cells import PROGRAMS, SERVERS, Cell

PAGE = Path(__file__).parents[3] / "docs" / "ends.md"
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14), (3, 15))
SERVERS_ON = ((3, 10), (3, 13))  # as in tools.matrix

_HEAD = """# How processes end

This page is written by `tests/processes/test_ends.py` from the cells that its tests prove: each starts the real thing, has it use
a pool that nobody closes, ends it as users do, once with the agent and once without, and compares status, output and
the time that the end took. The hook is what `poolwitness.hook` says in the verdict, which every process gives once; the
verdict says PW001, since the pool was left open. *Nobody* means that no Python code runs any more: there
`POOLWITNESS_BLACKBOX` has kept the pool, and `poolwitness postmortem` tells of it. *Asked for* is `POOLWITNESS_SIGTERM=1`.

The tests run many of them at once, so the time is compared again where the end with the agent seems to have taken
longer: the best of five runs may be at most a fifth longer, and 0.3 s for the verdict, more where other work wants the
processors.

The first table is run on every change, on all Pythons, and needs nothing but the Python (`make slow` on that of the
environment). The second needs the servers' packages (`make servers`). It is run on every change on the Pythons whose
column does not say *by hand*: the others would take a machine of two cores twelve minutes more. They are run by
`make matrix MATRIX="--pools 3.3 --marked servers"`. Neither runs on Windows, which has no such ends.

SIGKILL, a crash and `os._exit` are nobody's in a server as in any program, and so are the end that the system gives to
who takes too much memory and the one after a supervisor's patience. Django is 5.2 on Python 3.10 and 3.11, 6.0 on 3.13
and 6.1 elsewhere.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [_HEAD, "## Processes", "", *_table(PROGRAMS, PYTHONS), "", "## Servers", "", *_table(SERVERS, SERVERS_ON), ""]
    )


def _table(cells: tuple[Cell, ...], on_every_change: tuple[tuple[int, int], ...]) -> list[str]:
    heads = ["process", "ends by", "status"]
    for python in PYTHONS:
        by_hand = "" if python in on_every_change else ", by hand"
        heads.append(f"{python[0]}.{python[1]}{by_hand}")
    rows = [_row(heads), _row(["---"] * len(heads))]
    for cell in cells:
        hooks = ["not run" if cell.why_not(python) else cell.hook(python) or "nobody" for python in PYTHONS]
        rows.append(_row([cell.model, cell.end, str(cell.status), *hooks]))
    return [*rows, "", *_remarks(cells)]


def _remarks(cells: tuple[Cell, ...]) -> list[str]:
    notes = [f"- {cell.model}, {cell.end}: {cell.note}." for cell in cells if cell.note]
    # One sentence for all the cells of a server.
    reasons = dict.fromkeys(
        f"- {cell.model.split(',')[0]} is not run on Python {python}: {reason}."
        for cell in cells
        for python, reason in cell.not_run.items()
    )
    return [*notes, *reasons]


def _row(words: list[str]) -> str:
    return f"| {' | '.join(words)} |"
