"""``poolwitness report`` as a user types it."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")

from tests.support.commands import cli, environ
from tests.support.log_lines import Process, history
from tests.support.programs import environment, run

LEAKY = """
    import os
    from psycopg_pool import ConnectionPool

    def lose(pool):
        pool.getconn()

    pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=4, open=True, name="shop")
    lose(pool)
    lose(pool)
    pool.close()
"""


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "shop.log"
    path.write_bytes(history())
    return str(path)


def document(*words: str) -> dict[str, Any]:
    """The report as JSON."""
    ran = cli("report", "--format", "json", *words)
    assert (ran.returncode, ran.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_what_the_agent_writes_is_read(dsn: str, tmp_path: Path) -> None:
    log = tmp_path / "real.log"
    for _ in range(2):
        run(LEAKY, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_OUTPUT=f"file:{log}"))
    # The program's own lines stand among them, and the second half is in another file.
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"shop: closing time\n".join(lines[:8]))
    (tmp_path / "real.log.1.gz").write_bytes(gzip.compress(b"".join(lines[8:])))
    told = document(str(log), f"{log}.1.gz")
    (fault,) = (fault for fault in told["faults"] if fault["rule"] == "PW101")
    assert (fault["function"], fault["findings"], fault["processes"]) == ("lose", 4, 2)
    assert fault["fingerprint"] in told["leaks"]
    assert told["verdict"] == "findings"
    assert told["totals"]["processes"] == told["totals"]["verdicts"] == 2
    assert told["totals"]["pools_opened"] == told["totals"]["pools_closed"] == 2
    assert (told["read"]["other"], told["read"]["broken"], told["read"]["files"]) == (7, 0, 2)
    assert told["read"]["events"] == len(lines)
    assert max(step["connections"] for step in told["timeline"]) >= 2


def test_standard_input(log: str) -> None:
    content = Path(log).read_bytes()
    for fed in (content, gzip.compress(content)):
        ran = subprocess.run(
            [sys.executable, "-m", "poolwitness", "report", "-", "--format", "json"],
            input=fed,
            capture_output=True,
            env=environ(),
            timeout=60,
        )
        assert ran.returncode == 0
        assert json.loads(ran.stdout)["totals"]["findings"] == 16


def test_the_console_says_the_verdict_first(log: str) -> None:
    ran = cli("report", log, "--format", "console")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("5 faults in 5 of 5 processes; 5 lines of code leak; ")
    assert re.search(
        r"PW101 connection-lost +/app/shop/db\.py:10 in sell \(2 lines\) +4 +3 +2026-06-17 12:00 +worse", ran.stdout
    )
    for title in ("Lines of code that leak", "New or worse since last week", "Resolved"):
        assert f"\n{title}" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_a_pipe_gets_json(log: str) -> None:
    assert json.loads(cli("report", log).stdout)["version"] == "1.0"


def test_the_table_can_be_kept(log: str, tmp_path: Path) -> None:
    import duckdb

    kept = str(tmp_path / "kept.duckdb")
    document(log, "--database", kept)
    with duckdb.connect(kept, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (26,)
        assert connection.execute("SELECT count(*) FROM faults WHERE trend = 'gone'").fetchone() == (2,)


def test_hostile_text_does_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = Process("a").found("PW001", "f", file="/app/\x1b[2J\u202e[red]x[/red].py", message="\x1b]0;owned\x07")
    (tmp_path / "a.log").write_bytes(evil)
    shown = cli("report", str(tmp_path / "a.log"), "--format", "console").stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", shown)
    assert "[red]x[/red].py" in shown


def test_nothing_is_left_in_the_temporary_folder(log: str, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    assert cli("report", log, TMPDIR=str(folder), TEMP=str(folder)).returncode == 0
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), "FILE"),
        (("nowhere.log",), "'nowhere.log' cannot be read (No such file or directory)"),
        (("LOG", "--format", "yaml"), "'yaml'"),
        (("LOG", "--database", "LOG"), "is there already"),
        (("LOG", "--database", "nowhere/x.duckdb"), "cannot be kept"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(log: str, words: tuple[str, ...], names: str) -> None:
    ran = cli("report", *(log if word == "LOG" else word for word in words))
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("poolwitness: ")
    assert line.endswith(".")
    assert names in line


def test_without_duckdb_it_says_what_to_install(log: str, tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError('no', name='duckdb')\n", encoding="utf-8")
    ran = cli("report", log, PYTHONPATH=str(tmp_path))
    assert ran.returncode == 2
    assert ran.stderr == (
        "poolwitness: `poolwitness report` needs duckdb, which is not installed: pip install 'poolwitness[report]'.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize("form", ["console", "markdown", "json"])
def test_the_name_of_a_broken_file_steers_no_terminal(tmp_path: Path, form: str) -> None:
    broken = tmp_path / "a\rb\n::error::c\x1b[31m\u202e.gz"
    broken.write_bytes(gzip.compress(history() * 20)[:500])
    ran = cli("report", str(tmp_path), "--format", form)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "a�b�::error::c�" in (json.loads(ran.stdout)["read"]["troubles"][0] if form == "json" else ran.stdout)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]|^::error", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("form", "check"),
    [
        ("sarif", lambda text: json.loads(text)["version"] == "2.1.0"),
        ("github", lambda text: text.startswith("::")),
        ("gitlab", lambda text: len(json.loads(text)) == 5),
        ("markdown", lambda text: text.startswith("## poolwitness: 5 faults")),
    ],
)
def test_each_format_on_the_command_line(tmp_path: Path, form: str, check: Callable[[str], bool]) -> None:
    (tmp_path / "a.log").write_bytes(history())
    ran = cli("report", str(tmp_path / "a.log"), "--format", form, PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert check(ran.stdout)


def test_the_page_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(history())
    ran = cli("report", str(tmp_path / "a.log"), "--html", str(tmp_path / "a.html"))
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr == f"poolwitness: the report is in {tmp_path / 'a.html'}.\n"
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    ran = cli("report", str(tmp_path / "a.log"), "--html", str(tmp_path / "no" / "a.html"))
    assert ran.returncode == 2
    assert "cannot be written (No such file or directory)" in ran.stderr
