"""A program that changes its root directory and its user before its first pool: observed, or told what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.programs import Ran, environment, split

CHROOT = """
    import os, sys
    import psycopg_pool
    if sys.argv[2] == "snapshot":
        import poolwitness
        poolwitness.snapshot()
    elif sys.argv[2] == "pool":
        psycopg_pool.ConnectionPool(open=False, min_size=0, max_size=1)
    os.chroot(sys.argv[1])
    os.chdir("/")
    if sys.argv[3] == "other user":
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=True, min_size=0, max_size=1, num_workers=1) as pool:
        print("in use")
    try:
        pool.getconn()
    except psycopg_pool.PoolClosed:
        print("closed")
"""


@cache
def as_root() -> tuple[str, ...] | None:
    """The words that run a command as root: none as root, those of a user namespace where one can be made."""
    if os.geteuid() == 0:
        return ()
    unshare = shutil.which("unshare")
    words = (unshare or "", "--user", "--map-root-user")
    return words if unshare and subprocess.run([*words, "true"], capture_output=True).returncode == 0 else None


def run_in(folder: Path, early: str, user: str, **variables: str) -> Ran:
    words = as_root()
    if words is None or sys.platform == "win32" or (words and user == "other user"):
        pytest.skip("needs root")
    root = folder / "root"
    root.mkdir()
    root.chmod(0o755)
    program = folder / "program.py"
    program.write_text("\n".join(line[4:] for line in CHROOT.splitlines()))
    done = subprocess.run(
        [*words, sys.executable, str(program), str(root), early, user],
        env=environment(POOLWITNESS="1", **variables),
        capture_output=True,
        timeout=60,
    )
    events, own = split(done.stderr)
    assert (done.stdout, own, done.returncode) == (b"in use\nclosed\n", b"", 0)
    return Ran(done.stdout, done.stderr, done.returncode, events, own)


@pytest.mark.parametrize("user", ["same user", "other user"])
def test_where_the_agent_cannot_be_loaded_one_line_gives_the_reason_and_the_advice(user: str, tmp_path: Path) -> None:
    (event,) = run_in(tmp_path, "nothing", user).events
    assert event["event"] == "poolwitness.agent.failed"
    assert "could not load the agent (" in event["message"]
    assert "call poolwitness.snapshot() before that" in event["message"]


@pytest.mark.parametrize("user", ["same user", "other user"])
@pytest.mark.parametrize("early", ["snapshot", "pool"])
def test_loaded_before_it_works(early: str, user: str, tmp_path: Path) -> None:
    ran = run_in(tmp_path, early, user)
    assert (ran.rules, ran.verdict) == (["PW005"], "findings")


def test_with_a_signal_it_is_loaded_with_psycopg_pool(tmp_path: Path) -> None:
    ran = run_in(tmp_path, "nothing", "other user", POOLWITNESS_SIGNAL="SIGUSR1")
    assert (ran.rules, ran.verdict) == (["PW005"], "findings")


def test_a_log_file_that_was_opened_before_is_written_to(tmp_path: Path) -> None:
    log = tmp_path / "pw.jsonl"
    run_in(tmp_path, "snapshot", "other user", POOLWITNESS_OUTPUT=f"file:{log}")
    assert [event["poolwitness.rule"] for event in split(log.read_bytes())[0] if "poolwitness.rule" in event] == [
        "PW005"
    ]
