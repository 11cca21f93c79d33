"""The wheel: with the compiled walk where it can be built, pure Python where not, and the sources left as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import poolwitness
from tests.support.commands import environ
from tests.support.programs import split
from tools.matrix.environments import make_bare, site_packages

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.per_python,
    pytest.mark.skipif(
        os.name == "nt", reason="its compiler is not named by CC, and a file that is loaded cannot be changed"
    ),
]

ROOT = Path(__file__).parents[2]
NAME = f"poolwitness-{poolwitness.__version__}"
PURE = f"{NAME}-py3-none-any.whl"
LEFT_OUT = "poolwitness: poolwitness.observe._stackwalk is left out, trace takes the one in Python: "
CAN = sys.version_info >= (3, 11) and Path(sysconfig.get_path("include"), "Python.h").exists()


def build(folder: Path, target: str = "wheel", **variables: str) -> tuple[Path, str]:
    """What is built, and what was said meanwhile."""
    before = sources()
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=ROOT,
        env=environ(PYTHONDONTWRITEBYTECODE="1", **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert sources() == before, "the build has left something among the sources"
    (built,) = folder.iterdir()
    return built, done.stdout


def sources() -> set[Path]:
    """The files of the root and of the package, without bytecode."""
    return {path for path in (*ROOT.iterdir(), *ROOT.joinpath("agent").rglob("*")) if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is built here, where that is with compiled code."""
    if not CAN:
        pytest.skip("Python 3.10, or no Python.h here")
    built, said = build(tmp_path_factory.mktemp("wheel"))
    assert LEFT_OUT not in said
    return built


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


ALWAYS = {
    "poolwitness.pth",
    "poolwitness/py.typed",
    "poolwitness/observe/_stackwalk.pyi",
    "poolwitness/site/sitecustomize.py",
}


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CC": "false"}, "false"),
        ({"CC": "/nowhere/cc"}, "/nowhere/cc"),
        ({"POOLWITNESS_NO_EXTENSIONS": "1"}, "POOLWITNESS_NO_EXTENSIONS is set"),
    ],
)
def test_without_a_compiler_it_is_pure(tmp_path: Path, variables: dict[str, str], reason: str) -> None:
    built, said = build(tmp_path, **variables)
    assert built.name == PURE
    (line,) = [line for line in said.splitlines() if line.startswith(LEFT_OUT)]
    if CAN or "CC" not in variables:
        assert reason in line
    names = names_in(built)
    assert names >= ALWAYS
    assert not {name for name in names if name.endswith((".so", ".c", ".o"))}


def test_without_setuptools_it_is_pure(tmp_path: Path) -> None:
    (tmp_path / "setuptools.py").write_text("raise ModuleNotFoundError('No module named setuptools')\n")
    built, said = build(tmp_path / "out", PYTHONPATH=str(tmp_path))
    assert built.name == PURE
    assert LEFT_OUT in said


def test_with_a_compiler_it_is_one_of_its_python_and_platform(wheel: Path) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert wheel.name.startswith(f"{NAME}-{python}-{python}")
    assert "any" not in wheel.name
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    names = names_in(wheel)
    assert names >= {*ALWAYS, f"poolwitness/observe/_stackwalk{suffix}"}
    assert not {name for name in names if name.endswith((".c", ".o"))}
    with zipfile.ZipFile(wheel) as opened:
        assert b"Root-Is-Purelib: false" in opened.read(f"{NAME}.dist-info/WHEEL")


def test_the_source_distribution_can_be_built(tmp_path: Path) -> None:
    built, _ = build(tmp_path, "sdist")
    with tarfile.open(built) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert names >= {
        "agent/poolwitness/observe/_stackwalk.c",
        "hatch_build.py",
        "agent/poolwitness.pth",
        "pyproject.toml",
    }


PROGRAM = """
import json, os, sys
from psycopg_pool import ConnectionPool

def deeper(left):
    if left:
        return deeper(left - 1)
    return pool.getconn()

pool = ConnectionPool(os.environ["DSN"], min_size=1, open=True)
held = deeper(30)
print(json.dumps([os.path.basename(getattr(sys.modules.get("poolwitness.observe._stackwalk"), "__file__", "")), sys.modules["poolwitness"].__file__]))
pool.close()
"""


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The Python of an environment into which pip put the wheel, and which finds everything else in the one of the tests."""
    python = make_bare(Path(sys.executable), tmp_path / "environment")
    # Not its .pth files: the agent is to be started by that of the wheel.
    others = {sysconfig.get_path(key) for key in ("purelib", "platlib")}
    (site_packages(python) / "others.pth").write_text("".join(f"{other}\n" for other in others))
    words = ("install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *words], check=True, timeout=120)
    return python


def test_an_installed_wheel_records_whole_stacks(installed: Path, dsn: str) -> None:
    library = next(installed.parent.parent.glob("lib*/python*/site-packages/poolwitness/observe/_stackwalk.*.so"))
    assert (library.parents[2] / "poolwitness.pth").exists()

    def stack(expected: str) -> str:
        ran = subprocess.run(
            [str(installed), "-c", PROGRAM],
            env=environ(DSN=dsn, POOLWITNESS="1", POOLWITNESS_LEVEL="trace", POOLWITNESS_FORMAT="json"),
            capture_output=True,
            timeout=120,
        )
        events, own = split(ran.stderr)
        assert (ran.returncode, own) == (0, b"")
        loaded, package = json.loads(ran.stdout)
        assert Path(package).parent == library.parents[1]
        assert loaded == expected
        (finding,) = [found for found in events if found.get("poolwitness.rule") == "PW102"]
        found: str = finding["code.stacktrace"]
        assert found.count("in deeper") > 20
        return found

    def doctor() -> str:
        command = [str(installed), "-m", "poolwitness", "doctor", "--format", "json"]
        told = json.loads(subprocess.run(command, env=environ(), check=True, capture_output=True).stdout)
        return f"{told['whole_stacks']['compiled']}: {told['whole_stacks']['reason']}"

    assert doctor() == f"True: The level trace walks them in compiled code: {library}."
    by_c = stack(library.name)
    # As it may come about where a folder of packages is shared between systems.
    library.write_bytes(b"a library of another system")
    assert stack("") == by_c
    assert "what was compiled does not load: " in doctor()
