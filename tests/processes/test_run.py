"""``poolwitness run``: becomes the program, with the agent where it can, and with the program always."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import poolwitness
from tests.support.commands import environ

SITEDIR = Path(poolwitness.__file__).parent / "site"
SHOW = "import json, os, sys; print(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)]))"
LEAK = """
import os
from psycopg_pool import ConnectionPool
pool = ConnectionPool(os.environ["SHOP"], min_size=1, num_workers=1, open=True)
pool.wait()
"""

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other statuses, and no exec")


def start(
    *words: str, package: Path | None = None, stdin: str = "", **more: str
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run ``poolwitness run WORDS``; the process and its pid."""
    command = [sys.executable, "-m", "poolwitness", "run", *words]
    if package is not None:
        # -I keeps the interpreter's own poolwitness from being found first.
        code = f"import sys; sys.path.insert(0, {str(package)!r}); from poolwitness.cli import main; sys.exit(main())"
        command = [sys.executable, "-I", "-c", code, "run", *words]
    process = subprocess.Popen(
        command,
        env=environ(**more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(stdin, timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, err), process.pid


def shown(run: subprocess.CompletedProcess[str]) -> tuple[int, list[str], dict[str, str]]:
    """What the program `SHOW` printed: its pid, arguments and environment."""
    assert run.returncode == 0, run.stderr
    pid, arguments, environ = json.loads(run.stdout)
    return pid, arguments, environ


@posix
def test_the_command_takes_our_place() -> None:
    run, pid = start("--", sys.executable, "-c", SHOW, "--check", "--", "-x", "")
    told = shown(run)
    assert told[:2] == (pid, ["--check", "--", "-x", ""])
    assert run.stderr == ""


def test_without_dashes_the_command_is_its_own_too() -> None:
    _, arguments, _ = shown(start(sys.executable, "-c", SHOW, "--check", "--", "--help")[0])
    assert arguments == ["--check", "--", "--help"]


def test_the_environment_is_the_users_with_ours_in_front() -> None:
    before = f"/one{os.pathsep}{os.pathsep}/two"
    _, _, environ = shown(
        start(
            "--",
            sys.executable,
            "-c",
            SHOW,
            PYTHONPATH=before,
            POOLWITNESS="0",
            POOLWITNESS_LEVEL="exit",
            ANYTHING="else",
        )[0]
    )
    assert environ["POOLWITNESS"] == "1"
    assert environ["POOLWITNESS_LEVEL"] == "exit"
    assert environ["ANYTHING"] == "else"
    assert environ["PYTHONPATH"] == os.pathsep.join([str(SITEDIR), "/one", "/two"])
    assert "POOLWITNESS_CHECK_DIR" not in environ


def test_run_inside_run_adds_nothing() -> None:
    words = ["--", sys.executable, "-m", "poolwitness", "run", "--", sys.executable, "-c", SHOW]
    _, _, environ = shown(start(*words)[0])
    assert environ["PYTHONPATH"] == str(SITEDIR)


def test_the_agent_is_at_work_in_it(dsn: str) -> None:
    run, _ = start("--", sys.executable, "-c", LEAK, POOLWITNESS_CLOSE="1", POOLWITNESS_FORMAT="json", SHOP=dsn)
    assert run.returncode == 0
    assert '"poolwitness.rule":"PW001"' in run.stderr
    assert run.stdout == ""


def test_standard_input_is_the_commands() -> None:
    run, _ = start("--", sys.executable, "-c", "print(input())", stdin="from outside\n")
    assert run.stdout == "from outside\n"


@posix
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_command_that_cannot_start_has_a_shells_status(check: list[str], tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("no program\n")
    lost = tmp_path / "lost"
    lost.write_text("#!/nonexistent/interpreter\n")
    lost.chmod(0o755)
    for command, status, reason in [
        ("no-such-command-anywhere", 127, "command not found"),
        (str(tmp_path / "nothing"), 127, "command not found"),
        (str(plain), 126, "cannot be executed: Permission denied"),
        (str(tmp_path), 126, "cannot be executed: Permission denied"),
        (str(lost), 127, "the interpreter named in its first line was not found"),
    ]:
        run, _ = start(*check, "--", command)
        assert (run.returncode, run.stdout) == (status, "")
        assert run.stderr == f"poolwitness: {command}: {reason}.\n"


@posix
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_no_signal_is_ignored_that_was_not(check: list[str]) -> None:
    """Python ignores SIGPIPE for itself; a `cat` that inherits this would never end."""
    run, _ = start(*check, "--", "grep", "SigIgn", "/proc/self/status")
    ignored = int(run.stdout.split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT):
        assert not ignored & (1 << (number - 1)), number


@pytest.fixture
def without_sitedir(tmp_path: Path) -> Path:
    """A copy of the package that has lost its sitecustomize.py."""
    home = tmp_path / "home"
    shutil.copytree(SITEDIR.parent, home / "poolwitness")
    shutil.rmtree(home / "poolwitness" / "site")
    return home


@posix
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_without_our_sitecustomize_the_command_runs_all_the_same(check: list[str], without_sitedir: Path) -> None:
    run, _ = start(*check, "--", sys.executable, "-c", "import sys; sys.exit(5)", package=without_sitedir)
    assert run.returncode == 5
    assert "could not be set up" in run.stderr.splitlines()[0]
    assert "sitecustomize.py" in run.stderr.splitlines()[0]
    assert "Traceback" not in run.stderr


@posix
def test_with_half_of_us_missing_the_command_runs_all_the_same(without_sitedir: Path) -> None:
    shutil.copytree(SITEDIR, without_sitedir / "poolwitness" / "site")
    (without_sitedir / "poolwitness" / "cli" / "run" / "agent_output.py").write_text("raise SyntaxError('torn')")
    run, _ = start("--check", "--", sys.executable, "-c", "print('ran')", package=without_sitedir)
    assert (run.returncode, run.stdout) == (0, "ran\n")
    assert "could not be set up: torn" in run.stderr


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_with_stderr_closed_the_command_runs_all_the_same(check: list[str]) -> None:
    words = ["-m", "poolwitness", "run", *check, "--", sys.executable, "-c", "print(1)"]
    code = (
        "import os, subprocess, sys; os.close(2);"
        f"subprocess.run([sys.executable, *{words!r}], close_fds=False, check=True)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (0, "1\n")
