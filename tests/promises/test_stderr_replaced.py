"""A program that replaces its stderr closes the pipe behind it: a parent that reads to its end sees the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import environment, split

# It goes on only when its parent has seen the end of the pipe, so that no time has to be measured.
QUIET = """
    import os, sys
    from psycopg_pool import ConnectionPool

    with ConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, open=True, num_workers=1) as pool:
        target = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(target, 2)
        os.close(target)
        print("quiet", flush=True)
        sys.stdin.readline()
    print("end")
"""


@pytest.mark.parametrize("target", ["null", "file"])
def test_the_pipe_of_the_start_is_not_kept_open(target: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("\n".join(line[4:] for line in QUIET.splitlines()))
    log = tmp_path / "stderr.log"
    words = [sys.executable, str(program), os.devnull if target == "null" else str(log)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=environment(POOLWITNESS="1"), stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin and process.stdout and process.stderr
        # A hang here is the fault: the test's time limit ends it.
        before = process.stderr.read()
        process.stdin.write(b"go on\n")
        process.stdin.close()
        assert process.stdout.read() == b"quiet\nend\n"
    assert process.returncode == 0
    assert split(before)[0][0]["event"] == "poolwitness.agent.started"
    if target == "file":  # opened for append: the lines go on there
        assert split(log.read_bytes())[0][-1]["event"] == "poolwitness.verdict"
