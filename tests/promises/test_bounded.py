"""However many pools leak, the report is bounded, and says how much of it was held back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from poolwitness.config import PROFILES
from poolwitness.diagnose.lifecycle import exit_delayed
from poolwitness.report.file_sink import FileSink
from poolwitness.report.finalizer_lines import LateExit
from poolwitness.report.open_sinks import json_renderer
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.rate_limit import ALL_PER_MINUTE, MOST_KEYS, PER_MINUTE, RateLimit
from poolwitness.runtime.reporter import MOST_HELD_BACK_LINES
from tests.support.programs import environment, run, strict
from tests.support.snapshots import pool

# None of them ever asks for a connection: there need not be a server. A task each, and no thread.
LEAKS = """
    import asyncio, sys
    from psycopg_pool import AsyncConnectionPool

    def make():
        return AsyncConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, num_workers=1, open=False)

    def makers(lines):
        if lines == 1:
            return [make]
        source = "\\n".join(f"def make_{number}():\\n    return make()" for number in range(lines))
        exec(compile(source, __file__, "exec"), globals())
        return [globals()[f"make_{number}"] for number in range(lines)]

    async def main(count, lines, closes):
        pools = []
        functions = makers(lines)
        for number in range(count):
            pool = functions[number % lines]()
            await pool.open()
            if closes:
                await pool.close()
            else:
                pools.append(pool)
        return pools

    kept = asyncio.run(main(*map(int, sys.argv[1:])))
    print(len(kept))
"""
ON = {"POOLWITNESS": "1", "POOLWITNESS_IGNORE": "PW007"}
# Two minutes may begin while a program runs, and each allows as many lines again.
MINUTES = 3


def leaking(count: int, lines: int, closes: bool = False) -> tuple[list[dict[str, Any]], int]:
    """The events of a program that leaves pools open, made at so many lines; and the bytes of them all."""
    ran = run(LEAKS, environment(**ON), str(count), str(lines), str(int(closes)), timeout_s=200)
    assert ran.stdout.decode().strip() == ("0" if closes else str(count))
    assert ran.status == 0
    assert not ran.own_stderr
    return ran.events, len(ran.stderr)


def told_by(events: list[dict[str, Any]]) -> Counter[str]:
    """How many findings each fingerprint's lines account for: the lines themselves, and what they say was held back."""
    told: Counter[str] = Counter()
    for event in events:
        if event["event"] == "poolwitness.finding":
            told[event["poolwitness.fingerprint"]] += 1
        if event["event"] in ("poolwitness.finding", "poolwitness.finding.held_back"):
            told[event["poolwitness.fingerprint"]] += event.get("poolwitness.held_back", 0)
    return told


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_pools_of_one_line_are_one_story(count: int) -> None:
    events, size = leaking(count, lines=1)
    verdict = events[-1]
    assert verdict["poolwitness.found.PW001"] == count
    findings = [event for event in events if event["event"] == "poolwitness.finding"]
    assert PER_MINUTE <= len(findings) <= PER_MINUTE * MINUTES
    assert list(told_by(events).values()) == [count], "what was held back is accounted for to the last"
    assert size < 4096 * (2 * PER_MINUTE * MINUTES + 10)
    opened = [event for event in events if event["event"] == "poolwitness.pool.opened"]
    assert verdict["poolwitness.suppressed"] == (count - len(opened)) + (count - len(findings))
    (held_back,) = [event for event in events if event["event"] == "poolwitness.finding.held_back"]
    assert f"{held_back['poolwitness.held_back']} more findings of PW001" in held_back["message"]


@pytest.mark.parametrize("count", [1500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_pools_of_as_many_lines_are_bounded_too(count: int) -> None:
    events, size = leaking(count, lines=count)
    verdict = events[-1]
    assert verdict["poolwitness.found.PW001"] == count
    findings = [event for event in events if event["event"] == "poolwitness.finding"]
    assert len(events) <= ALL_PER_MINUTE * MINUTES + MOST_HELD_BACK_LINES + 2
    assert size < 4096 * len(events)
    opened = sum(event["event"] == "poolwitness.pool.opened" for event in events)
    assert verdict["poolwitness.suppressed"] == 2 * count - opened - len(findings) > 0
    held_back = [event for event in events if event["event"] == "poolwitness.finding.held_back"]
    assert len(held_back) == min(MOST_HELD_BACK_LINES, count - len(findings))


def test_pools_that_come_and_go_do_not_flood_either() -> None:
    events, _ = leaking(400, lines=1, closes=True)
    verdict = events[-1]
    assert verdict["poolwitness.verdict"] == "clean"
    names = Counter(event["event"] for event in events)
    for name in ("poolwitness.pool.opened", "poolwitness.pool.closed"):
        assert PER_MINUTE <= names[name] <= PER_MINUTE * MINUTES
    assert (
        verdict["poolwitness.suppressed"] == 800 - names["poolwitness.pool.opened"] - names["poolwitness.pool.closed"]
    )


def test_a_line_says_how_many_were_held_back_before_it() -> None:
    limit = RateLimit(per_minute=2, all_per_minute=10**9)
    written = 0
    while limit.suppressed < 5:
        written += limit.allows("story")
    assert written in (2, 4)
    assert limit.owed("story") == 5
    assert limit.owed("story") == 0
    assert limit.owed("another") == 0


def test_all_stories_together_have_a_limit_and_are_forgotten_in_time() -> None:
    limit = RateLimit(per_minute=30, all_per_minute=100)
    written = sum(limit.allows(f"story {number}") for number in range(10 * MOST_KEYS))
    assert written in (100, 200)
    assert limit.suppressed == 10 * MOST_KEYS - written
    assert len(limit._windows) <= MOST_KEYS + 1
    assert len(limit._owed) <= MOST_KEYS


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("exception", [None, "PythonFinalizationError"])
def test_exits_that_go_wrong_by_the_hundred(profile: str, exception: str | None, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    sink = FileSink(str(path), json_renderer(profile))
    late = LateExit(Pipeline([sink]), (3, 14, 0), exit_delayed)
    for number in range(1, 301):
        late.notice(pool(id=number, name=f"pool-{number}"))(0.25, exception)
    sink.close()
    told = [strict(line) for line in path.read_bytes().splitlines(keepends=True)]
    assert [event["poolwitness.exits_delayed"] for event in told] == [*range(1, 101), 128, 256]
    assert {event["poolwitness.rule"] for event in told} == {"PW003"}
    assert told[-1]["poolwitness.exit_delay_total_s"] == 64.0
    assert told[-1]["db.client.connection.pool.name"] == "pool-256"
