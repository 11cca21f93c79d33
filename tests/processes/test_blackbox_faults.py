"""Whatever happens to the file of a black box, the program runs on, and one line reports it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import environment, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be changed there")

PROGRAM = """
    import os, resource, sys, time
    from psycopg_pool import ConnectionPool

    folder = os.environ["POOLWITNESS_BLACKBOX"]
    what = sys.argv[1]
    own = None
    with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
        with pool.connection() as conn:
            conn.execute("select 1")
        (name,) = os.listdir(folder)
        path = os.path.join(folder, name)
        if what in ("truncated", "full"):
            os.truncate(path, 0)
        if what == "full":
            with open(os.path.join(folder, "filler"), "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError:
                    pass
        if what in ("removed", "replaced"):
            os.unlink(path)
        if what == "replaced":
            with open(path, "wb") as file:
                file.write(b"mine")
        if what in ("closed", "reused"):
            for number in map(int, os.listdir("/proc/self/fd")):
                try:
                    if os.readlink(f"/proc/self/fd/{number}") == path:
                        os.close(number)
                        if what == "reused":
                            own = open(os.path.join(folder, "own"), "w+b", buffering=0)
                            own.write(bytes(1 << 16))
                            os.dup2(own.fileno(), number)
                except FileNotFoundError:
                    pass
        if what == "limited":
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        for _ in range(3):
            with pool.connection() as conn:
                conn.execute("select 1")
        time.sleep(0.5)  # several sweeps
        with pool.connection() as conn:
            conn.execute("select 1")
    if what == "replaced":
        print(open(path).read())
    if own is not None:
        own.seek(0)
        print(len(own.read().strip(bytes(1))))
    print("done")
"""
PRINTED = {"replaced": b"mine\ndone\n", "reused": b"0\ndone\n"}


def settings(folder: Path, dsn: str) -> dict[str, str]:
    """The environment of a program with a black box and quick sweeps."""
    return environment(
        POOLWITNESS="1",
        POOLWITNESS_OUTPUT="stderr",
        POOLWITNESS_FORMAT="json",
        POOLWITNESS_BLACKBOX=str(folder),
        POOLWITNESS_SWEEP_S="0.1",
        DSN=dsn,
    )


@pytest.mark.parametrize("what", ["truncated", "removed", "replaced", "closed", "reused", "limited"])
def test_the_program_runs_on(tmp_path: Path, dsn: str, what: str) -> None:
    folder = tmp_path / "boxes"
    ran = run(PROGRAM, settings(folder, dsn), what)
    assert (ran.stdout, ran.status, ran.own_stderr) == (PRINTED.get(what, b"done\n"), 0, b"")
    (problem,) = ran.named("poolwitness.agent.setting_invalid")
    assert "can no longer be written" in problem["message"]
    assert not ran.named("poolwitness.agent.part_disabled")
    assert ran.verdict == "clean"
    assert not [path for path in folder.iterdir() if path.suffix == ".pwbox" and path.read_bytes() != b"mine"]


MOUNTING = """
    import os, sys

    if "MOUNTED" not in os.environ:
        script = 'mount -t tmpfs -o size=4m,mode=700 none "$POOLWITNESS_BLACKBOX" && MOUNTED=1 exec "$@"'
        os.execvp("unshare", ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, __file__, "full"])
"""


def test_a_full_file_system(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "boxes"
    folder.mkdir()
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], timeout=30).returncode:
        pytest.skip("this user may not mount a file system")
    ran = run(MOUNTING + PROGRAM, settings(folder, dsn))
    assert (ran.stdout, ran.status, ran.own_stderr) == (b"done\n", 0, b"")
    (problem,) = ran.named("poolwitness.agent.setting_invalid")
    assert "No space left on device" in problem["message"]
    assert ran.verdict == "clean"
