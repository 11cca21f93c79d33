"""A log file that is rotated while the program runs: every line is in the file that is at the path when it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.programs import environment, run

LEAKS = """
    import gc, os, sys
    from psycopg_pool import ConnectionPool

    def leak(pool):
        conn = pool.getconn()
        del conn
        gc.collect()
        with pool.connection():
            pass

    path, how = sys.argv[1:]
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=4, open=True) as pool:
        pool.wait()
        leak(pool)
        if how == "rename":
            os.rename(path, path + ".1")
        elif how == "rename and create":
            os.rename(path, path + ".1")
            open(path, "w").close()
        elif how == "remove":
            os.unlink(path)
        elif how == "truncate":
            os.truncate(path, 0)
        leak(pool)
    print("end")
"""


def rules(path: Path) -> list[str]:
    """The rules of the findings in a file, and the verdict."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [found for event in events if (found := event.get("poolwitness.rule") or event.get("poolwitness.verdict"))]


@pytest.mark.parametrize("how", ["rename", "rename and create", "remove", "truncate", "nothing"])
def test_lines_are_in_the_file_at_the_path(how: str, dsn: str, tmp_path: Path) -> None:
    log = tmp_path / "pw.jsonl"
    env = environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_OUTPUT=f"file:{log}", POOLWITNESS_FORMAT="json")
    ran = run(LEAKS, env, str(log), how)
    assert (ran.stdout, ran.status) == (b"end\n", 0), ran.stderr
    before, after = ["PW101"], ["PW101", "findings"]
    assert rules(log) == (before + after if how == "nothing" else after)
    if how.startswith("rename"):
        assert rules(Path(f"{log}.1")) == before


def test_a_directory_that_is_gone_leaves_the_lines_where_they_were(dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "pw.jsonl"
    program = LEAKS.replace('elif how == "remove":', 'elif how == "move folder":').replace(
        "os.unlink(path)", "os.rename(os.path.dirname(path), os.path.dirname(path) + '.old')"
    )
    env = environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_OUTPUT=f"file:{log}", POOLWITNESS_FORMAT="json")
    ran = run(program, env, str(log), "move folder")
    assert (ran.stdout, ran.status) == (b"end\n", 0), ran.stderr
    assert rules(tmp_path / "logs.old" / "pw.jsonl") == ["PW101", "PW101", "findings"]
