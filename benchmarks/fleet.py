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

from poolwitness.report.json_lines import render_json

START = calendar.timegm((2026, 6, 1, 0, 0, 0))
SPAN_S = 21 * 86_400
PLACES = 40  # lines of code that make pools; one in four is at fault somewhere
# What the agent says of the faults of its test programs.
RULES: tuple[dict[str, Any], ...] = (
    {
        "message": "pool 'shop', made at shop/db.py:41 in connect, was garbage-collected while open: nothing holds it "
        "any more, its threads are stopped by __del__",
        "poolwitness.rule": "PW002",
        "poolwitness.rule_name": "pool-dropped-open",
        "poolwitness.fix": "keep one pool for the life of the program and close it at the end, or make it in a `with` "
        "block; a pool made in a function dies with the function",
    },
    {
        "message": "a connection of pool 'shop', taken at shop/db.py:41 in connect by thread 'MainThread', was "
        "garbage-collected without being returned: 3 of 4 slots left",
        "poolwitness.rule": "PW101",
        "poolwitness.rule_name": "connection-lost",
        "poolwitness.fix": "use `with pool.connection() as conn:`, which gives the connection back whatever happens; "
        "with getconn(), put putconn() in a finally",
        "poolwitness.checkout.id": 1,
        "poolwitness.held_s": 0.002002,
        "poolwitness.holder": "MainThread",
        "poolwitness.transaction": "closed",
        "poolwitness.slots_lost": 1,
        "poolwitness.slots_left": 3,
    },
    {
        "message": "a connection of pool 'shop', taken at shop/db.py:41 in connect by thread 'MainThread', has been "
        "out for 31.5 s",
        "poolwitness.rule": "PW103",
        "poolwitness.rule_name": "connection-held-long",
        "poolwitness.fix": "return the connection before slow work that does not need it",
        "poolwitness.checkout.id": 1,
        "poolwitness.held_s": 31.5,
        "poolwitness.holder": "MainThread",
        "poolwitness.transaction": "idle in transaction",
    },
)
_FRAMES = "\n".join(
    f'File "/app/shop/{name}.py", line {line}, in {name}'
    for line, name in enumerate(["main", "serve", "route", "handle", "order", "stock", "connect", "acquire"], start=40)
)
_STATS = (
    "requests_num requests_queued connections_num connections_ms requests_wait_ms usage_ms pool_size pool_available"
)
_TOTALS = "pools_created pools_opened pools_closed pools_open resolved ignored suppressed records_dropped lines_lost"
# What is filled in, each as long as any value of it.
_FILLED = {"stamp": "@STAMP@", "run": "@RUN@", "pid": 910_001, "seq": 910_002, "pool": 910_003}


def template(event: str, message: str = "", **more: Any) -> str:
    """A line of one kind, ready to be filled in by the ``%`` operator.

    Args:
        event: its name.
        message: unless it is among the fields.
        more: the fields, in their order.
    """
    line = render_json(
        {
            "timestamp": _FILLED["stamp"],
            "level": "info",
            "event": event,
            "message": message,
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
    fault = RULES[place % len(RULES)]
    print_of = {"poolwitness.fingerprint": f"{place:016x}"}
    return {
        "opened": template(
            "poolwitness.pool.opened", f"pool 'shop-{place}' opened, made at shop/part_{place}.py:41", **pool
        ),
        "closed": template(
            "poolwitness.pool.closed",
            f"pool 'shop-{place}' closed by shop/part_{place}.py:58 after 61.5 s, 42 requests",
            **pool,
            **{
                "poolwitness.pool.open_s": 61.509701,
                "poolwitness.pool.close_s": 0.001911,
                "poolwitness.pool.closed_at": f"/app/shop/part_{place}.py:58",
                **{f"poolwitness.stats.{key}": 7 for key in _STATS.split()},
                "poolwitness.peak_in_use": 7,
                "poolwitness.longest_wait_s": 0.006544,
                "poolwitness.longest_held_s": 1.251092,
                "poolwitness.longest_held_at": f"/app/shop/part_{place}.py:50",
            },
        ),
        "found": template(
            "poolwitness.finding",
            **{"level": "warning", **fault, "poolwitness.confidence": "proven", **print_of, **pool},
        ),
        "resolved": template(
            "poolwitness.finding.resolved",
            "the connection came back after 33.5 s",
            **{
                "poolwitness.rule": fault["poolwitness.rule"],
                "poolwitness.rule_name": fault["poolwitness.rule_name"],
                **print_of,
                **{name: value for name, value in pool.items() if name != "code.stacktrace"},
                "poolwitness.held_s": 33.5,
            },
        ),
    }


STARTED = template(
    "poolwitness.agent.started",
    "watching psycopg pools at level watch (python 3.13.18, psycopg_pool 3.3.3, psycopg 3.3.9, poolwitness 0.1.0)",
    **{
        "poolwitness.activated_by": "pth",
        "poolwitness.hooks": [f"ConnectionPool.method_{number}" for number in range(36)],
        "poolwitness.version.python": "3.13.18",
        "poolwitness.version.psycopg_pool": "3.3.3",
        "poolwitness.version.psycopg": "3.3.9",
        "poolwitness.version.poolwitness": "0.1.0",
        "poolwitness.setting.level": "watch",
        "poolwitness.setting.output": "stderr",
    },
)
VERDICT = template(
    "poolwitness.verdict",
    "5 findings: 5 x PW002",
    **{
        "poolwitness.verdict": "findings",
        "poolwitness.findings": 5,
        "poolwitness.hook": "atexit",
        **{f"poolwitness.{key}": 0 for key in _TOTALS.split()},
        "poolwitness.peak_in_use": 7,
        "poolwitness.longest_wait_s": 0.006773,
    },
)


def process(number: int, events: int, kinds: list[dict[str, str]]) -> Iterator[str]:
    """All that one process writes: pools that come and go, faults at some places, and mostly a verdict."""
    chance = random.Random(number)
    begun = START + chance.random() * SPAN_S * 0.98
    step = SPAN_S * 0.02 / events
    filled = {"run": f"{number:016x}", "pid": number, "seq": 0, "pool": 0, "stamp": ""}
    ahead: list[str] = []
    place = 0
    for seq in range(1, events + 1):
        now = begun + seq * step
        filled["stamp"] = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{seq % 1_000_000:06d}Z"
        filled["seq"] = seq
        if seq == 1:
            line = STARTED
        elif seq == events and number % 20:
            line = VERDICT
        else:
            if not ahead:
                place = chance.randrange(PLACES)
                filled["pool"] += 1  # type: ignore[operator]
                ahead = life(place, (now - START) // (7 * 86_400), chance)
            line = kinds[place][ahead.pop(0)]
        yield line % filled
        if seq % 50 == 0:
            yield f"{filled['stamp']} INFO shop.orders sold 42 things to customer {seq}\n"


def life(place: int, week: float, chance: random.Random) -> list[str]:
    """What is told of one pool, from its opening to its end."""
    # A quarter of the places are at fault; half of those were mended, or came, in the middle of it.
    at_fault = place % 4 == 0 and not (place % 8 == 0 and week > 1) and not (place % 16 == 4 and week < 2)
    if not at_fault:
        return ["opened", "closed"]
    rule = RULES[place % len(RULES)]["poolwitness.rule"]
    if rule == "PW002":
        return ["opened", "found"]
    if rule == "PW103" and chance.random() < 0.8:
        return ["opened", "found", "resolved", "closed"]
    return ["opened", "found", "closed"]


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
