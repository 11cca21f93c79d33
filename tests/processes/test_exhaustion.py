"""What is said of a PoolTimeout, by programs that run into one; ``docs/exhaustion.md`` shows the same notes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from tests.scenarios.connecting.wrong_password.server_settings import want_a_password
from tests.support.programs import environment, split
from tests.support.programs import run as run_program

pytestmark = pytest.mark.matrix_once

PROGRAMS = Path(__file__).parent / "exhaustion_notes"
DOCUMENT = Path(__file__).parents[2] / "docs" / "exhaustion.md"
IN_DOCUMENT = ("idle_in_transaction", "lost_slots", "wrong_password")
PASSWORD = "so secret 0815"
USER = "poolwitness_by_password"

needs_notes = pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes since Python 3.11")


def run(program: str, dsn: str, **settings: str) -> tuple[list[dict[str, Any]], str]:
    """The agent's events and the program's own stderr."""
    done = subprocess.run(
        [sys.executable, f"{program}.py"],
        cwd=PROGRAMS,
        env=environment(DSN=dsn, POOLWITNESS="1", **settings),
        capture_output=True,
        timeout=100,
        check=False,
    )
    lines = done.stderr.splitlines(keepends=True)
    events, _ = split(b"".join(line for line in lines if line.startswith(b"{")))
    own = b"".join(line for line in lines if not line.startswith(b"{"))
    assert PASSWORD.encode() not in done.stdout + done.stderr
    return events, own.decode()


def dsn_for(program: str, dsn: str) -> str:
    """The database as one of the programs is to see it."""
    if program != "wrong_password":
        return dsn
    want_a_password(dsn, USER, "right")
    return make_conninfo(dsn, user=USER, password=PASSWORD)


def note_in(stderr: str) -> list[str]:
    """The exception's line and its note, from the last traceback."""
    lines = stderr.splitlines()
    start = max(index for index, line in enumerate(lines) if line.startswith("psycopg_pool.PoolTimeout"))
    end = next((index for index in range(start, len(lines)) if not lines[index]), len(lines))
    return lines[start:end]


def masked(lines: list[str]) -> list[str]:
    """The lines without what differs from run to run: seconds, counts of attempts, the server's place."""
    patterns = (
        (r"\s*\d+\.\d s\b", " # s"),
        (r"\d+ times?, last", "# times, last"),
        (r'(on socket "[^"]*"|at "[^"]*", port \d+)', "there"),
        (r"(clerk|order)-\d", r"\1-#"),
    )
    for pattern, replacement in patterns:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines


def documented() -> dict[str, list[str]]:
    """The notes that the document shows, by their programs."""
    blocks = re.findall(
        r"tests/processes/exhaustion_notes/(\w+)\.py.*?```text\n(.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    return {program: text.splitlines() for program, text in blocks}


@needs_notes
@pytest.mark.parametrize("program", IN_DOCUMENT)
def test_the_document_shows_what_programs_say(program: str, dsn: str) -> None:
    _, stderr = run(program, dsn_for(program, dsn))
    assert masked(documented()[program]) == masked(note_in(stderr))


@needs_notes
def test_the_first_page_shows_what_a_program_says(dsn: str) -> None:
    page = (Path(__file__).parents[2] / "README.md").read_text()
    shown = page[page.index("    psycopg_pool.PoolTimeout") :].split("\n\n")[0]
    _, stderr = run("shop", dsn)
    assert masked([line[4:] for line in shown.splitlines()]) == masked(note_in(stderr))


@needs_notes
def test_the_note_is_there_without_any_output(dsn: str) -> None:
    events, stderr = run("lost_slots", dsn, POOLWITNESS_OUTPUT="none")
    assert events == []
    assert note_in(stderr)[1].startswith("poolwitness: pool 'prices' (made at lost_slots.py:")


@needs_notes
def test_each_task_is_shown_where_it_stands(dsn: str) -> None:
    _, stderr = run("two_at_a_time", dsn)
    rows = [line for line in note_in(stderr) if " by task " in line]
    assert len(rows) == 2
    assert all("IDLE IN TRANSACTION; now at two_at_a_time.py:10 in note" in row for row in rows)
    assert "do not ask for a second connection at two_at_a_time.py:10 in note" in stderr


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="exceptions have notes")
def test_without_notes_the_log_says_it(dsn: str) -> None:
    events, stderr = run("lost_slots", dsn)
    assert "poolwitness" not in note_in(stderr)[-1]
    assert [event["poolwitness.rule"] for event in findings(events)].count("PW201") == 1


def findings(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings among events."""
    return [event for event in events if event["event"] == "poolwitness.finding"]


def test_the_log_has_a_row_a_holder(dsn: str) -> None:
    events, _ = run("idle_in_transaction", dsn)
    (found,) = findings(events)
    rows = [event for event in events if event["event"] == "poolwitness.holder"]
    assert found["poolwitness.rule"] == "PW201"
    assert found["exception.type"] == "PoolTimeout"
    assert found["poolwitness.slots_out"] == 2
    assert [row["poolwitness.rank"] for row in rows] == [1, 2]
    assert {row["poolwitness.report_id"] for row in rows} == {found["poolwitness.report_id"]}
    assert {row["poolwitness.holder"] for row in rows} == {"clerk-1", "clerk-2"}
    for row in rows:
        assert row["poolwitness.transaction"] == "idle in transaction"
        assert row["code.function.name"] == "ship"
        assert row["poolwitness.holder_at"].endswith("idle_in_transaction.py:13")
        assert 1.0 < row["poolwitness.held_s"] < 60.0
    assert rows[0]["poolwitness.held_s"] >= rows[1]["poolwitness.held_s"]


def test_a_wrong_password_does_not_look_like_a_busy_pool(dsn: str) -> None:
    events, _ = run("wrong_password", dsn_for("wrong_password", dsn))
    told = {event["poolwitness.rule"]: event for event in findings(events)}
    assert set(told) == {"PW201", "PW202"}
    assert "the server rejected the password" in told["PW201"]["message"]
    assert told["PW202"]["db.user"] == USER
    assert PASSWORD not in json.dumps(events)


@needs_notes
@pytest.mark.parametrize(
    "cls", ["ConnectionPool", "NullConnectionPool", "AsyncConnectionPool", "AsyncNullConnectionPool"]
)
def test_a_pool_that_is_not_filled_in_time_says_so_once(cls: str) -> None:
    program = f"""
        import asyncio, psycopg_pool, traceback

        async def main():
            size = {{"min_size": 1}} if "Null" not in "{cls}" else {{"max_size": 1}}
            pool = psycopg_pool.{cls}("host=127.0.0.1 port=1", open=False, num_workers=1, **size)
            for step in (pool.open, lambda: pool.wait(0.2)):
                try:
                    done = step()
                    if done is not None:
                        await done
                except psycopg_pool.PoolTimeout as error:
                    print(len(error.__notes__))
                    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
                    print(sum("poolwitness" in file for file in files))
            if (done := pool.close(0.1)) is not None:
                await done

        asyncio.run(main())
    """
    ran = run_program(program, environment(POOLWITNESS="1"))
    assert ran.stdout == b"1\n1\n"
    assert [found["poolwitness.rule"] for found in ran.named("poolwitness.finding")].count("PW201") <= 1
