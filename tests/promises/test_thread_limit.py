"""A user who may have exactly as many threads as a pool needs: the pool gets them, and the agent reports that it has none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.programs import Ran, environment, split

# As root there is no limit: the program becomes a user of its own, whose threads are those of this process.
LIMITED = """
    import os, resource, sys
    from psycopg_pool import ConnectionPool

    limit, user = int(sys.argv[1]), int(sys.argv[2])
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    try:
        with ConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=2, open=True, num_workers=2) as pool:
            print(sorted(thread.name for thread in pool._workers))
        print("end")
    except RuntimeError as error:
        print("RuntimeError", error)
"""
# The main thread, the scheduler and two workers.
NEEDED = 4


@pytest.fixture
def program() -> Path:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root, to become a user without other processes")
    # pytest's own folder is for root alone.
    folder = Path(tempfile.mkdtemp(prefix="pw"))
    folder.chmod(0o755)
    path = folder / "program.py"
    path.write_text("\n".join(line[4:] for line in LIMITED.splitlines()))
    return path


def run_with(program: Path, limit: int, user: int, **variables: str) -> Ran:
    done = subprocess.run(
        [sys.executable, str(program), str(limit), str(user)],
        env=environment(**variables),
        capture_output=True,
        timeout=60,
    )
    events, own = split(done.stderr)
    return Ran(done.stdout, done.stderr, done.returncode, events, own)


def test_the_pool_s_own_threads_come_first(program: Path) -> None:
    # The agent has to be loaded before the user is changed: that user may not read this Python's files.
    early = {"POOLWITNESS": "1", "POOLWITNESS_SIGNAL": "SIGUSR1"}
    try:
        without, with_agent = run_with(program, NEEDED, 64_201), run_with(program, NEEDED, 64_202, **early)
        assert b"end" in without.stdout, without
        assert (with_agent.stdout, with_agent.status, with_agent.own_stderr) == (without.stdout, 0, without.own_stderr)
        assert any("sweeper" in event["message"] for event in with_agent.named("poolwitness.agent.part_disabled"))
        assert with_agent.verdict == "clean"
        one_more = run_with(program, NEEDED + 1, 64_203, **early)
        assert one_more.stdout == without.stdout and not one_more.named("poolwitness.agent.part_disabled")
    finally:
        shutil.rmtree(program.parent, ignore_errors=True)
