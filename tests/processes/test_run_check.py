"""``poolwitness run --check``: the parent passes on what comes in, and judges what comes out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.commands import check_words, environ

pytestmark = [
    pytest.mark.matrix_once,
    pytest.mark.skipif(os.name == "nt", reason="Windows has other statuses and other signals"),
]

LEAK = """
import os, sys, signal, time
from psycopg_pool import ConnectionPool
pool = ConnectionPool(os.environ["SHOP"], min_size=1, num_workers=1, open=True)
pool.wait()
"""
CLEAN = LEAK + "pool.close()\n"


@pytest.fixture(autouse=True)
def shop(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database of `LEAK`."""
    monkeypatch.setenv("SHOP", dsn)


def settings(**more: str) -> dict[str, str]:
    """The environment of a check: with a quick exit."""
    return environ(POOLWITNESS_CLOSE="1", **more)


def check(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Check a command."""
    return subprocess.run(check_words(*command), env=settings(**more), capture_output=True, text=True, timeout=60)


def check_python(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Check a Python program."""
    return check(sys.executable, "-c", code, **more)


def ours(run: subprocess.CompletedProcess[str]) -> list[str]:
    """The sentences that the parent wrote after the program's end."""
    return re.findall(r"(?m)^poolwitness: (.*)$", run.stderr)


class TestStatus:
    @pytest.mark.parametrize(
        ("end", "status"),
        [
            ("", 0),
            ("sys.exit(1)", 1),
            ("sys.exit(200)", 200),
            ("raise ValueError", 1),
            ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
            ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
            ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
            ("os.abort()", -signal.SIGABRT),
        ],
    )
    def test_the_programs_own_end_is_ours(self, end: str, status: int) -> None:
        run = check_python(f"import os, signal, sys\n{end}")
        assert run.returncode == status
        assert ours(run)[0].startswith("no pool was created")
        assert run.stdout == ""

    def test_findings_are_23(self) -> None:
        run = check_python(LEAK)
        assert run.returncode == 23
        assert ours(run)[0] == "1 finding; status 23."
        assert re.fullmatch(r"  PW001 pool-never-closed  <string>:4", ours(run)[1])

    def test_none_is_0(self) -> None:
        run = check_python(CLEAN)
        assert run.returncode == 0
        assert ours(run)[0] == "no findings; status 0."

    @pytest.mark.parametrize(
        ("end", "status", "said"),
        [
            ("sys.exit(3)", 3, "the program's own status 3 stands"),
            (
                "import atexit; atexit.register(os.kill, os.getpid(), signal.SIGKILL)",
                -signal.SIGKILL,
                "the program died of SIGKILL, and so does this command",
            ),
        ],
    )
    def test_findings_do_not_hide_the_programs_own_end(self, end: str, status: int, said: str) -> None:
        run = check_python(f"{LEAK}\n{end}")
        assert run.returncode == status
        assert ours(run)[0].endswith(f"{said}.")

    def test_an_ignored_finding_does_not_count(self) -> None:
        assert check_python(LEAK, POOLWITNESS_IGNORE="PW001").returncode == 0

    def test_with_the_report_going_nowhere_it_still_counts(self) -> None:
        run = check_python(LEAK, POOLWITNESS_OUTPUT="none")
        assert run.returncode == 23
        assert "PW001 pool-never-closed" in run.stderr


class TestSummary:
    def test_the_line_is_relative_to_here(self, tmp_path: Path) -> None:
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop" / "db.py").write_text(LEAK)
        run = subprocess.run(
            check_words(sys.executable, "shop/db.py"),
            cwd=tmp_path,
            env=settings(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "  PW001 pool-never-closed  shop/db.py:4" in ours(run)

    def test_the_exit_is_measured(self) -> None:
        run = check_python(
            f"{CLEAN}\nclass Slow:\n    def __del__(self, sleep=time.sleep): sleep(1.5)\nkept = Slow()\n"
        )
        (sentence,) = [line for line in ours(run) if line.startswith("the exit took")]
        seconds = float(sentence.split()[3])
        assert 1.4 <= seconds < 10

    @pytest.mark.parametrize(
        ("end", "said"),
        [
            ("os._exit(0)", "it was killed, or left by os._exit"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "it died of SIGKILL"),
        ],
    )
    def test_a_missing_verdict_is_said(self, end: str, said: str) -> None:
        run = check_python(f"{LEAK}\n{end}")
        assert f"the program ended without a verdict: {said}." in ours(run)

    def test_a_launcher_in_between(self) -> None:
        run = check("sh", "-c", '"$0" -c "$1"; true', sys.executable, LEAK)
        assert run.returncode == 23
        assert any(line.startswith("the exit took") for line in ours(run))

    def test_a_child_process_counts(self) -> None:
        run = check_python(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {LEAK!r}], check=True)")
        assert run.returncode == 23

    def test_the_directory_is_gone_afterwards(self, tmp_path: Path) -> None:
        code = "import os; print(os.listdir(os.environ['TMPDIR']), os.path.isdir(os.environ['POOLWITNESS_CHECK_DIR']))"
        run = check_python(code, TMPDIR=str(tmp_path))
        assert run.stdout.startswith("['poolwitness-")
        assert run.stdout.endswith("True\n")
        assert list(tmp_path.iterdir()) == []


class TestFailsOpen:
    def test_without_a_temporary_directory(self) -> None:
        """A file size limit of nothing makes every directory unusable for `tempfile`, root or not."""
        code = (
            "import os, resource, sys\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
            f"os.execv(sys.executable, {check_words(sys.executable, '-c', 'print(1); raise SystemExit(9)')!r})"
        )
        run = subprocess.run([sys.executable, "-c", code], env=settings(), capture_output=True, text=True, timeout=60)
        assert (run.returncode, run.stdout) == (9, "1\n")
        (sentence,) = ours(run)
        assert "runs unchecked" in sentence

    def test_with_its_directory_gone(self) -> None:
        run = check_python(
            f"import os, shutil; shutil.rmtree(os.environ['POOLWITNESS_CHECK_DIR'])\n{LEAK}\nprint('ran')"
        )
        assert (run.returncode, run.stdout) == (0, "ran\n")
        assert "Traceback" not in run.stderr


def test_nothing_of_ours_is_left_in_the_temporary_directory() -> None:
    before = set(Path(tempfile.gettempdir()).glob("poolwitness-*"))
    check_python(LEAK)
    assert set(Path(tempfile.gettempdir()).glob("poolwitness-*")) <= before
