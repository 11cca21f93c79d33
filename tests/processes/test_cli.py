"""The commands as a user types them, in processes of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import poolwitness
from poolwitness.cli import COMMANDS
from poolwitness.diagnose import pages
from tests.support.commands import Completed, cli, environ

SITEDIR = Path(poolwitness.__file__).parent / "site"


def one_sentence(run: Completed) -> str:
    """The one line on stderr; nothing on stdout."""
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("poolwitness: ")
    assert line.endswith(".")
    return line


def test_version() -> None:
    run = cli("--version")
    assert (run.returncode, run.stdout) == (0, f"poolwitness {poolwitness.__version__}\n")


def test_the_installed_command_is_the_same() -> None:
    command = shutil.which("poolwitness", path=str(Path(sys.executable).parent))
    assert command is not None
    run = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (0, f"poolwitness {poolwitness.__version__}\n")


def test_help_names_every_command() -> None:
    run = cli("--help")
    assert run.returncode == 0
    for name, (_, summary) in COMMANDS.items():
        assert re.search(rf"(?m)^ +{name}\s+{re.escape(summary.split()[0])}", run.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str) -> None:
    run = cli(command, "--help")
    assert run.returncode == 0
    assert f"poolwitness {command}" in run.stdout


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), "COMMAND"),
        (("nope",), "'nope'"),
        (("--nope", "doctor"), "--nope"),
        (("run",), "no command to run"),
        (("run", "--"), "no command to run"),
        (("run", "--chekc", "--", "true"), "--chekc"),
        (("sitedir", "x"), "x"),
        (("sitedir", "--", "x"), "nothing after --"),
        (("doctor", "--format", "yaml"), "'yaml'"),
        (("explain", "PW001", "PW002"), "PW002"),
        (("demo", "--python", "/nonexistent/python"), "/nonexistent/python"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(words: tuple[str, ...], names: str) -> None:
    run = cli(*words)
    assert run.returncode == 2
    assert names in one_sentence(run)


def test_sitedir_prints_the_directory_and_nothing_else() -> None:
    run = cli("sitedir")
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{SITEDIR}\n", "")
    assert (SITEDIR / "sitecustomize.py").is_file()


@pytest.mark.parametrize("words", [["sitedir"], ["explain", "PW001"], ["explain"], ["run", "--help"]])
def test_light_commands_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom poolwitness.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'psycopg', 'psycopg_pool', 'psutil', 'structlog', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], env=environ(), capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_explain_lists_every_rule_on_a_line() -> None:
    run = cli("explain")
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(pages.codes())
    for line in lines:
        code, name, summary = line.split(maxsplit=2)
        assert (name, summary) == pages.title(code)


@pytest.mark.parametrize("rule", ["PW001", "pw001", "Pool-Never-Closed", "pool-never-closed"])
def test_explain_prints_the_page_plain_on_a_pipe(rule: str) -> None:
    run = cli("explain", rule, FORCE_COLOR="1")
    assert (run.returncode, run.stdout, run.stderr) == (0, pages.page("PW001"), "")


@pytest.mark.parametrize(
    ("rule", "nearest"),
    [
        ("PW01", "PW001 pool-never-closed"),
        ("pool-never-close", "PW001 pool-never-closed"),
        ("conection-lost", "PW101 connection-lost"),
        ("../PW001", "PW001"),
        ("", "PW"),
        ("\x1b[31m" * 100, "PW"),
    ],
)
def test_explain_of_no_rule_names_the_nearest(rule: str, nearest: str) -> None:
    run = cli("explain", rule)
    assert run.returncode == 2
    line = one_sentence(run)
    assert f"the nearest is {nearest}" in line
    assert "\x1b" not in line


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal on Windows")
@pytest.mark.parametrize(("no_color", "styled"), [("", True), ("1", False)])
def test_explain_is_styled_on_a_terminal(no_color: str, styled: bool) -> None:
    master, slave = os.openpty()
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
    with open(master, "rb", buffering=0) as reader:
        run = subprocess.Popen([sys.executable, "-m", "poolwitness", "explain", "PW001"], stdout=slave, env=environ)
        os.close(slave)
        shown = b""
        try:
            while piece := reader.read(4096):
                shown += piece
        except OSError:  # how Linux tells the end of a terminal
            pass
        assert run.wait(timeout=60) == 0
    text = shown.decode().replace("\r\n", "\n")
    assert ("\x1b[1mPW001 pool-never-closed\x1b[0m\n" in text) is styled
    assert ("```" not in text) is styled
    assert (text == pages.page("PW001")) is not styled


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "poolwitness", "explain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    run.stdout.close()
    _, told = run.communicate(timeout=60)
    assert told == b""
