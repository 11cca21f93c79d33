"""Django's own pool: the line of the application or of its settings, and Django's own way of closing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes.ends.cells import ATEXIT, INT, Cell
from tests.processes.ends.run import PROGRAMS, CellRun, run_cell
from tests.support.programs import environment, run

pytestmark = [
    pytest.mark.servers,
    pytest.mark.matrix,
    pytest.mark.per_python,
    pytest.mark.skipif(sys.platform == "win32", reason="it is ended by POSIX signals"),
]
SETTINGS = {"DJANGO_SETTINGS_MODULE": "shop_settings"}
CLOSE_POOL = "connections['default'].close_pool()"


def django(dsn: str, folder: Path, *words: str, **env: str) -> CellRun:
    """Run a command of Django's to its end, under the agent."""
    if importlib.util.find_spec("django") is None:
        pytest.fail("django is not installed: pip install '.[servers]'")
    signals = (INT,) if "runserver" in words else ()
    cell = Cell("Django", words[0], ("-m", "django", *words), ATEXIT, signals, env={**SETTINGS, **env})
    ran = run_cell(cell, dsn, folder, agent=True)
    assert "part_disabled" not in str(ran.events), ran.events
    assert len(ran.pids) == 1
    assert len(ran.of(ran.pids[0], "poolwitness.verdict")) == 1, ran.stderr
    return ran


def finding(ran: CellRun, code: str) -> dict[str, Any]:
    """The one finding of a rule."""
    (found,) = [event for event in ran.events if event.get("poolwitness.rule") == code]
    return found


def line(file: str, text: str) -> tuple[str, int]:
    """Where a text stands in a file of the project."""
    path = PROGRAMS / file
    lines = path.read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, each in enumerate(lines, 1) if text in each]
    return str(path), number


def at(found: dict[str, Any]) -> tuple[str, int]:
    """The line to open."""
    return found["code.file.path"], found["code.line.number"]


def test_a_web_request_where_django_itself_asked_first(dsn: str, tmp_path: Path) -> None:
    """runserver asks for the migrations before any view does: no line of the application is on that stack."""
    ran = django(dsn, tmp_path, "runserver", "--noreload", "127.0.0.1:{port}")
    found = finding(ran, "PW001")
    assert at(found) == line("shop_settings.py", '"default": {')
    assert found["code.function.name"] == "DATABASES['default']"
    assert CLOSE_POOL in found["poolwitness.fix"]
    assert "with ConnectionPool" not in found["poolwitness.fix"]


def test_a_management_command(dsn: str, tmp_path: Path) -> None:
    ran = django(dsn, tmp_path, "count_stock")
    found = finding(ran, "PW001")
    assert at(found) == line("shop_site/management/commands/count_stock.py", "# mark: asked")
    assert CLOSE_POOL in found["poolwitness.fix"]
    assert found["poolwitness.expected_exit_delay_s"] == 0.0
    assert ran.seconds < 8.0 + 5.0, "Django's pool does not hold up the exit"


def test_a_thread_that_never_closes(dsn: str, tmp_path: Path) -> None:
    ran = django(dsn, tmp_path, "thread_without_close")
    # Lost, or still kept by what Django keeps for each thread: that is up to the collector.
    (code,) = [event["poolwitness.rule"] for event in ran.events if event["event"] == "poolwitness.finding"]
    assert code in ("PW101", "PW102")
    found = finding(ran, code)
    assert at(found) == line("shop_site/management/commands/thread_without_close.py", "# mark: asked")
    assert "connections['default'].close()" in found["poolwitness.fix"]


def test_the_advice_helps(dsn: str, tmp_path: Path) -> None:
    ran = django(dsn, tmp_path, "closes_its_pool")
    (verdict,) = ran.of(ran.pids[0], "poolwitness.verdict")
    assert verdict["poolwitness.verdict"] == "clean"


def test_a_test_run(dsn: str, tmp_path: Path) -> None:
    """Django closes the pools of its test databases itself."""
    ran = django(dsn, tmp_path, "test", "shop_site", "--noinput")
    assert ran.status == 0, ran.stderr
    assert [event["message"] for event in ran.events if event["event"] == "poolwitness.finding"] == []


@pytest.mark.parametrize("tester", ["", "pytest"])
def test_an_async_pool_on_the_loop_that_asgiref_makes(dsn: str, tester: str) -> None:
    """Whether or not pytest is there: a fixture's loop scope would not help where `async_to_sync` makes the loop."""
    if importlib.util.find_spec("asgiref") is None:
        pytest.fail("asgiref is not installed: pip install '.[servers]'")
    ran = run(
        f"""
        import asyncio
        import os

        {"import " + tester if tester else ""}
        from asgiref.sync import async_to_sync
        from psycopg_pool import AsyncConnectionPool


        async def ping(pool):
            async with pool.connection() as conn:
                await conn.execute("select 1")


        def sync_code(pool):
            async_to_sync(ping)(pool)


        async def main():
            async with AsyncConnectionPool(os.environ["DSN"], min_size=1, open=False) as pool:
                await pool.wait()
                await asyncio.to_thread(sync_code, pool)


        asyncio.run(main())
        """,
        environment(DSN=dsn, POOLWITNESS="1"),
    )
    assert ran.status == 0, ran.own_stderr
    (found,) = ran.named("poolwitness.finding")
    assert found["poolwitness.rule"] == "PW402"
    assert found["code.function.name"] == "ping"
    assert "async_to_sync" in found["poolwitness.fix"]
