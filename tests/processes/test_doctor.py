"""``poolwitness doctor``: each way of activation, opened and shut for real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import poolwitness
from poolwitness.cli.doctor.interpreter import at_exit
from tests.support.commands import cli

pytestmark = pytest.mark.matrix_once

SITEDIR = Path(poolwitness.__file__).parent / "site"


def doctor(*python: str, **environ: str) -> dict[str, tuple[bool, str]]:
    """What the doctor says of each way, by name."""
    run = cli("doctor", "--format", "json", python=python or (sys.executable,), **environ)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    return {way["name"]: (way["live"], way["reason"]) for way in [*told["activation"], told["agent"]]}


def test_doctor_tells_versions_and_settings() -> None:
    run = cli("doctor", "--format", "json", POOLWITNESS_LEVEL="loud", POOLWITNESS_HELD_S="12")
    told = json.loads(run.stdout)
    assert told["poolwitness"]["version"] == poolwitness.__version__
    assert told["python"]["executable"] == sys.executable
    assert told["versions"]["psycopg"] == psycopg.__version__
    assert told["versions"]["structlog"]
    assert told["psycopg"]["implementation"] == psycopg.pq.__impl__
    libpq = psycopg.pq.version()
    assert told["psycopg"]["libpq"] == f"libpq {libpq // 10000}.{libpq % 10000}"
    assert told["unclosed_pools"] == at_exit()
    assert told["settings"]["held_s"] == 12
    (problem,) = told["problems"]
    assert "POOLWITNESS_LEVEL='loud'" in problem


def test_doctor_in_text_says_the_same() -> None:
    told = json.loads(cli("doctor", "--format", "json").stdout)
    run = cli("doctor")
    assert (run.returncode, run.stderr) == (0, "")
    for way in [*told["activation"], told["agent"]]:
        assert re.search(rf"(?m)^  {'live' if way['live'] else 'off'} +{re.escape(way['name'])} ", run.stdout)
        assert way["reason"] in run.stdout
    for package, version in told["versions"].items():
        assert re.search(rf"(?m)^  {package} +{re.escape(version)}", run.stdout)
    assert told["unclosed_pools"] in run.stdout


def test_doctor_sees_the_variable() -> None:
    assert doctor()["POOLWITNESS"] == (False, "not set; set it to 1 to switch the agent on")
    assert doctor(POOLWITNESS="0")["POOLWITNESS"][0] is False
    assert doctor(POOLWITNESS="1")["POOLWITNESS"] == (True, "set to 1")
    live, reason = doctor(POOLWITNESS="maybe")["POOLWITNESS"]
    assert live is False
    assert "'maybe' is neither 1 nor 0" in reason


def test_doctor_sees_the_pth_file() -> None:
    assert doctor()["poolwitness.pth"][0] is True
    assert doctor(POOLWITNESS="1")["agent"][0] is True
    assert "pth" in doctor(POOLWITNESS="1")["agent"][1]
    assert doctor()["agent"][0] is False
    home = str(Path(poolwitness.__file__).parent.parent)
    code = f"import sys; sys.path.append({home!r}); from poolwitness.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code, "doctor", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = {way["name"]: way["reason"] for way in json.loads(run.stdout)["activation"]}
    assert "-S" in told["poolwitness.pth"]
    assert "-S" in told["PYTHONPATH"]


@pytest.mark.skipif(os.name == "nt", reason="its environments are laid out otherwise")
def test_doctor_sees_that_there_is_no_pth_file(tmp_path: Path) -> None:
    """As after ``pip install --target``: an environment without ours, and the package on PYTHONPATH."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    home = Path(poolwitness.__file__).parent.parent
    told = doctor(str(tmp_path / "bare" / "bin" / "python"), PYTHONPATH=f"{home}{os.pathsep}{SITEDIR}")
    live, reason = told["poolwitness.pth"]
    assert live is False
    assert f"not in {tmp_path}" in reason
    assert f"imported from {home}" in reason
    assert told["PYTHONPATH"][0] is True


def test_doctor_sees_pythonpath(tmp_path: Path) -> None:
    live, reason = doctor()["PYTHONPATH"]
    assert live is False
    assert "$(poolwitness sitedir)" in reason
    assert doctor(PYTHONPATH=str(SITEDIR))["PYTHONPATH"][0] is True
    live, reason = doctor(sys.executable, "-E", PYTHONPATH=str(SITEDIR))["PYTHONPATH"]
    assert live is False
    assert "-E" in reason
    # A sitecustomize of the user's: hidden by ours, or hiding it.
    (tmp_path / "sitecustomize.py").write_text("")
    theirs = str(tmp_path / "sitecustomize.py")
    live, reason = doctor(PYTHONPATH=f"{SITEDIR}{os.pathsep}{tmp_path}")["PYTHONPATH"]
    assert live is True
    assert f"hands over to {theirs}" in reason
    live, reason = doctor(PYTHONPATH=f"{tmp_path}{os.pathsep}{SITEDIR}")["PYTHONPATH"]
    assert live is False
    assert f"{theirs} is found before" in reason


def test_doctor_without_psycopg(tmp_path: Path) -> None:
    """Where libpq is missing, psycopg's import says so; so does the doctor."""
    broken = tmp_path / "psycopg"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('no pq wrapper available.\\nlibpq not found')")
    run = cli("doctor", PYTHONPATH=str(tmp_path))
    assert (run.returncode, run.stderr) == (0, "")
    assert "psycopg cannot be imported here: no pq wrapper available. libpq not found" in run.stdout
    told = json.loads(cli("doctor", "--format", "json", PYTHONPATH=str(tmp_path)).stdout)
    assert told["psycopg"]["implementation"] is None


@pytest.mark.parametrize(
    ("version", "word"),
    [((3, 10, 13), "at once"), ((3, 12, 0), "at once"), ((3, 13, 0), "5 s"), ((3, 14, 0), "Finalization")],
)
def test_what_each_python_does(version: tuple[int, ...], word: str) -> None:
    assert word in at_exit(version)
