"""docs/ends.md, written from the cells that the tests prove."""

from __future__ import annotations

from pathlib import Path

from tests.ends.cells import PROGRAMS, SERVERS, Cell

PAGE = Path(__file__).parents[2] / "docs" / "ends.md"
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14), (3, 15))

_HEAD = """# How processes end

This page is written by `tests/test_ends.py` from the cells that its tests prove: each starts the real thing, has it use
a pool that nobody closes, ends it as users do, once with the agent and once without, and compares status, output and
the time that the end took. The hook is what `poolwitness.hook` says in the verdict, which every process gives once; the
verdict says PW001, since the pool was left open. *Nobody* means that no Python code runs any more: there
`POOLWITNESS_BLACKBOX` has kept the pool, and `poolwitness postmortem` tells of it. *Asked for* is `POOLWITNESS_SIGTERM=1`.

The first table is run by `make slow` on the Python of the environment and needs nothing but it; the second by `make
servers`, from the servers' packages. Neither runs on Windows, which has no such ends.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, "## Processes", "", *_table(PROGRAMS), "", "## Servers", "", *_table(SERVERS), ""])


def _table(cells: tuple[Cell, ...]) -> list[str]:
    heads = ["process", "ends by", "status", *(f"{major}.{minor}" for major, minor in PYTHONS)]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for cell in cells:
        hooks = [cell.hook(python) or "nobody" for python in PYTHONS]
        rows.append(_row([cell.model, cell.end, str(cell.status), *hooks]))
    return rows


def _row(words: list[str]) -> str:
    return f"| {' | '.join(words)} |"
