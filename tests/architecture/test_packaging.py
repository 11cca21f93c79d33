"""One pure wheel for every Python and platform, alike each time it is built, with the .pth file that starts the agent."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import poolwitness
from tests.support.commands import environ

ROOT = Path(__file__).parents[2]
NAME = f"poolwitness-{poolwitness.__version__}"


def build(folder: Path, target: str = "wheel") -> Path:
    """What hatchling builds from the sources."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environ(), check=True, capture_output=True, timeout=120)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_pure(wheel: Path) -> None:
    assert wheel.name == f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        assert b"Root-Is-Purelib: true" in opened.read(f"{NAME}.dist-info/WHEEL")
    assert names >= {"poolwitness.pth", "poolwitness/py.typed", "poolwitness/site/sitecustomize.py"}
    assert not {name for name in names if name.endswith((".so", ".pyd", ".c", ".o"))}


def test_the_wheel_is_the_same_each_time(wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_source_distribution_has_what_a_build_needs(tmp_path: Path) -> None:
    with tarfile.open(build(tmp_path, "sdist")) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert names >= {"agent/poolwitness/__init__.py", "agent/poolwitness.pth", "pyproject.toml", "README.md", "LICENSE"}
