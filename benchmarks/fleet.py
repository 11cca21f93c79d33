"""``python -m benchmarks.fleet FOLDER``: what a fleet writes in three weeks, for `poolwitness report` to read.

Lines are made by the agent's own renderer, once for each kind, and then filled in: time, process, numbers.
"""

from __future__ import annotations

import argparse
import calendar
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poolwitness.report.lines import render_json

START = calendar.timegm((2026, 6, 1, 0, 0, 0))
SPAN_S = 21 * 86_400
RULES = (("PW002", "pool-dropped-open"), ("PW101", "connection-lost"), ("PW103", "connection-held-long"))
PLACES = 40  # lines of code that make pools; one in four is at fault somewhere
_FRAMES = "\n".join(
    f'File "/app/shop/{name}.py", line {line}, in {name}'
    for line, name in enumerate(["main", "serve", "route", "handle", "order", "stock", "connect", "acquire"], start=40)
)
FIX = "return the connection: " + "use `with pool.connection() as conn:` around the work that needs it; " * 3
# What is filled in, each as long as any value of it.
_FILLED = {"stamp": "@STAMP@", "run": "@RUN@", "pid": 910_001, "seq": 910_002, "pool": 910_003}


def template(event: str, **more: Any) -> str:
    """A line of one kind, ready to be filled in by the ``%`` operator."""
    line = render_json(
        {
            "timestamp": _FILLED["stamp"],
            "level": "info",
            "event": event,
            "message": f"{event} of pool 'shop', as long as such sentences are, made at shop/db.py:41 in connect",
            "logger": "poolwitness",
            "process.pid": _FILLED["pid"],
            "poolwitness.schema_version": "1.0",
            "poolwitness.run_id": _FILLED["run"],
            "poolwitness.seq": _FILLED["seq"],
            **more,
        }
    ).decode("ascii")
    line = line.replace("%", "%%")
    for name, mark in _FILLED.items():
        line = line.replace(str(mark), f"%({name})s")
    return line


def pool_of(place: int) -> dict[str, Any]:
    """The fields of a pool that is made at one of the places."""
    file = f"/app/shop/part_{place}.py"
    return {
        "db.client.connection.pool.name": f"shop-{place}",
        "poolwitness.pool.id": _FILLED["pool"],
        "poolwitness.pool.class": "psycopg_pool.ConnectionPool",
        "poolwitness.pool.min_size": 4,
        "poolwitness.pool.max_size": 10,
        "server.address": "db.internal",
        "server.port": 5432,
        "db.namespace": f"shop_{place % 5}",
        "db.user": "shop",
        "poolwitness.pool.created_at": f"{file}:41",
        "poolwitness.pool.created_in": "MainThread",
        "code.file.path": file,
        "code.line.number": 41,
        "code.function.name": "connect",
        "code.stacktrace": _FRAMES,
    }


def templates(place: int) -> dict[str, str]:
    """The lines about a pool of one place."""
    pool = pool_of(place)
    rule, name = RULES[place % len(RULES)]
    print_of = {"poolwitness.fingerprint": f"{place:016x}", "poolwitness.rule": rule, "poolwitness.rule_name": name}
    return {
        "opened": template("poolwitness.pool.opened", **pool),
        "closed": template(
            "poolwitness.pool.closed",
            **pool,
            **{f"poolwitness.stats.{key}": 7 for key in ("pool_size", "requests_num", "requests_queued", "usage_ms")},
            **{"poolwitness.pool.open_s": 61.5, "poolwitness.peak_in_use": 7, "poolwitness.longest_held_s": 1.25},
        ),
        "found": template(
            "poolwitness.finding",
            **print_of,
            **pool,
            **{
                "poolwitness.confidence": "proven",
                "poolwitness.held_s": 31.5,
                "poolwitness.fix": FIX,
            },
        ),
        "resolved": template("poolwitness.finding.resolved", **print_of, **pool, **{"poolwitness.held_s": 33.5}),
    }


def process(number: int, events: int, kinds: list[dict[str, str]]) -> Iterator[str]:
    """All that one process writes: pools that come and go, faults at some places, and mostly a verdict."""
    chance = random.Random(number)
    begun = START + chance.random() * SPAN_S * 0.98
    step = SPAN_S * 0.02 / events
    filled = {"run": f"{number:016x}", "pid": number, "seq": 0, "pool": 0, "stamp": ""}
    place = 0
    for seq in range(1, events + 1):
        now = begun + seq * step
        filled["stamp"] = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{seq % 1_000_000:06d}Z"
        filled["seq"] = seq
        turn = seq % 4
        if turn == 1:
            place = chance.randrange(PLACES)
            filled["pool"] += 1  # type: ignore[operator]
            kind = "opened"
        elif turn == 2:
            # A quarter of the places are at fault; half of those were mended, or came, in the middle of it.
            week = (now - START) // (7 * 86_400)
            at_fault = place % 4 == 0 and not (place % 8 == 0 and week > 1) and not (place % 16 == 4 and week < 2)
            kind = "found" if at_fault else "opened" if chance.random() < 0.02 else "closed"
        elif turn == 3:
            kind = "resolved" if place % 12 == 8 else "closed"
        else:
            kind = "closed"
        yield kinds[place][kind] % filled
        if seq % 50 == 0:
            yield f"{filled['stamp']} INFO shop.orders sold 42 things to customer {seq}\n"


def write(folder: Path, files: int, processes: int, events: int) -> int:
    """Write the files.

    Args:
        folder: where to; made if need be.
        files: how many.
        processes: in all files together.
        events: of all processes together.

    Returns:
        Bytes written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [templates(place) for place in range(PLACES)]
    each, size = events // processes, 0
    for number in range(files):
        text = "".join(line for one in range(number, processes, files) for line in process(one, each, kinds))
        size += (folder / f"shop-{number:04}.log").write_text(text, encoding="ascii")
        print(f"\r{number + 1} of {files} files", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return size


def main() -> None:
    """Write what was asked for, and say how much it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    arguments = parser.parse_args()
    size = write(arguments.folder, arguments.files, arguments.processes, arguments.events)
    print(f"{arguments.events:,} events, {size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
