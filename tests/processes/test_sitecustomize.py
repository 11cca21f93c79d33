"""Our sitecustomize gives way to another one so that the interpreter cannot be told from one without ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.matrix.environments import python_of, site_packages

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "sitecustomize_example" / "sitecustomize.py"
IN_PACKAGE = ROOT / "agent" / "poolwitness" / "site" / "sitecustomize.py"

SHOW = """
import json, sys
other = sys.modules.get("sitecustomize")
print(json.dumps({
    "file": getattr(other, "__file__", None),
    "named": getattr(other, "NAME", None),
    "path": sys.path,
    "poolwitness": "poolwitness" in sys.modules,
}))
"""

OTHERS = {
    "none": None,
    "plain": "NAME = 'other'\nimport sys; print('hello from the other', file=sys.stderr)\n",
    "inserts": "import sys; sys.path.insert(0, '/added/first'); sys.path.append('/added/last')\n",
    "replaces": "import sys; sys.path = [p for p in sys.path if 'late' not in p]\n",
    "imports-itself": "import sitecustomize, sys; NAME = str(sitecustomize is sys.modules[__name__])\n",
    "raises": "raise RuntimeError('the other is broken')\n",
    "misses-a-module": "import surely_not_there\n",
    "syntax-error": "def broken(:\n",
}


@dataclass(frozen=True)
class Seen:
    status: int
    stderr: str
    shown: dict[str, object] | None


def look(executable: str, pythonpath: list[Path], **environ: str) -> Seen:
    done = subprocess.run(
        [executable, "-c", SHOW],
        env={**_inherited(), "PYTHONPATH": os.pathsep.join(map(str, pythonpath)), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Seen(done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else None)


def _inherited() -> dict[str, str]:
    # PYTHONUNBUFFERED, for one, would hide what a full stderr does to the exit status.
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "POOLWITNESS"))}


def without(seen: Seen, *folders: Path) -> Seen:
    shown = seen.shown and {**seen.shown, "path": [p for p in _path(seen) if p not in map(str, folders)]}
    return Seen(seen.status, seen.stderr, shown)


def _path(seen: Seen) -> list[str]:
    path = seen.shown and seen.shown["path"]
    assert isinstance(path, list)
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter in whose environment nothing is installed: no .pth of ours boots before the sitecustomize."""
    environment = tmp_path_factory.mktemp("bare")
    venv.create(environment, symlinks=os.name != "nt")
    return str(python_of(environment))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder as `pip install --target` makes it."""
    home = tmp_path / "target"
    shutil.copytree(IN_PACKAGE.parents[1], home / "poolwitness", ignore=shutil.ignore_patterns("__pycache__"))
    return home


@pytest.mark.matrix
@pytest.mark.parametrize("switch", ["", "0", "1"])
@pytest.mark.parametrize("case", OTHERS)
def test_the_other_sitecustomize_runs_as_if_ours_were_not_there(
    python: str, package: Path, tmp_path: Path, case: str, switch: str
) -> None:
    site = package / "poolwitness" / "site"
    early, late = tmp_path / "early", tmp_path / "late"
    early.mkdir()
    late.mkdir()
    source = OTHERS[case]
    if source is not None:
        (late / "sitecustomize.py").write_text(source)

    bare = look(python, [early, late], POOLWITNESS=switch)
    ours = look(python, [early, site, late], POOLWITNESS=switch)

    assert without(ours, site, package) == (
        bare
        if switch != "1" or bare.shown is None
        else Seen(bare.status, bare.stderr, {**bare.shown, "poolwitness": True})
    )
    if ours.shown is not None:
        path = _path(ours)
        assert path.count(str(site)) == 1
        assert path.index(str(early)) < path.index(str(site))
        if str(late) in path:
            assert path.index(str(site)) + 1 == path.index(str(late))
        assert (str(package) in path) == (switch == "1")


@pytest.mark.matrix
@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_another_one_that_ends_the_interpreter_still_does(
    python: str, package: Path, tmp_path: Path, error: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"raise {error}(7)\n")
    bare = look(python, [tmp_path], POOLWITNESS="1")
    ours = look(python, [package / "poolwitness" / "site", tmp_path], POOLWITNESS="1")
    assert (ours.status, ours.shown, ours.stderr.splitlines()[-1]) == (
        bare.status,
        bare.shown,
        bare.stderr.splitlines()[-1],
    )
    assert ours.status != 0


@pytest.mark.matrix
def test_one_in_site_packages_is_found(tmp_path: Path, package: Path) -> None:
    venv.create(tmp_path / "env", symlinks=os.name != "nt")
    executable = str(python_of(tmp_path / "env"))
    (site_packages(Path(executable)) / "sitecustomize.py").write_text("NAME = 'in site-packages'\n")
    site = package / "poolwitness" / "site"
    bare = look(executable, [], POOLWITNESS="0")
    ours = look(executable, [site], POOLWITNESS="0")
    assert bare.shown is not None
    assert bare.shown["file"] is not None  # Debian's own, in the standard library, would come first
    assert without(ours, site) == bare


@pytest.mark.matrix
@pytest.mark.parametrize(
    "failure", ["SystemExit(3)", "KeyboardInterrupt()", "RuntimeError('broken')", "GeneratorExit()"]
)
def test_what_our_start_raises_ends_there(python: str, package: Path, tmp_path: Path, failure: str) -> None:
    site = package / "poolwitness" / "site"
    (tmp_path / "sitecustomize.py").write_text("NAME = 'other'\n")
    (package / "poolwitness" / "boot").mkdir(exist_ok=True)
    (package / "poolwitness" / "boot" / "__init__.py").write_text(f"def boot(how): raise {failure}\n")
    seen = look(python, [site, tmp_path], POOLWITNESS="1")
    assert seen.status == 0
    assert seen.shown is not None
    assert seen.shown["named"] == "other"
    assert len(seen.stderr.splitlines()) == 1
    assert failure.partition("(")[0] in seen.stderr
    assert str(package) not in _path(seen)


@pytest.mark.matrix
def test_a_copy_without_the_package_says_so_once_and_gives_way(python: str, tmp_path: Path) -> None:
    copied, late = tmp_path / "a" / "b" / "copied", tmp_path / "late"
    copied.mkdir(parents=True)
    late.mkdir()
    (copied / "sitecustomize.py").write_bytes(EXAMPLE.read_bytes())
    (late / "sitecustomize.py").write_text("NAME = 'other'\n")
    seen = look(python, [copied, late], POOLWITNESS="1")
    assert seen.shown is not None
    assert seen.shown["named"] == "other"
    assert seen.stderr.count("\n") == 1
    assert "No module named 'poolwitness'" in seen.stderr


@pytest.mark.matrix
def test_a_package_in_a_sibling_folder_is_found_and_comes_last(python: str, package: Path) -> None:
    copied = package / "copied"
    copied.mkdir()
    (copied / "sitecustomize.py").write_bytes(EXAMPLE.read_bytes())
    seen = look(python, [copied], POOLWITNESS="1")
    assert seen.shown is not None
    assert seen.shown["poolwitness"] is True
    assert _path(seen)[-1] == str(package)
    assert seen.stderr == ""


@pytest.mark.matrix
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_no_stderr_is_no_harm(python: str, package: Path, redirection: str) -> None:
    site = package / "poolwitness" / "site"
    (package / "poolwitness" / "boot").mkdir(exist_ok=True)
    (package / "poolwitness" / "boot" / "__init__.py").write_text("def boot(how): raise SystemExit(3)\n")
    done = subprocess.run(
        ["sh", "-c", f'exec "$1" -c "print(1)" {redirection}', "sh", python],
        env={**_inherited(), "PYTHONPATH": str(site), "POOLWITNESS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_the_example_is_the_one_in_the_package() -> None:
    assert EXAMPLE.read_bytes() == IN_PACKAGE.read_bytes()
