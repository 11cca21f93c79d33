"""Off costs nothing; on, without a pool, only the import finder is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

import poolwitness
from tests.support.programs import ON, both, environment, run, same

SITE = str(Path(poolwitness.__file__).parent / "site")

MODULES = "import sys; print(*sorted(sys.modules))"


def modules(program: str = MODULES, *options: str, **variables: str) -> set[str]:
    """What an interpreter has imported by its end."""
    return set(run(program, environment(**variables), options=options).stdout.decode().split())


def test_off_imports_nothing() -> None:
    # Without site no .pth is read: what else site imports here is not ours.
    bare = modules("import site; site.main(); " + MODULES, "-I", "-S")
    for off in ({}, {"POOLWITNESS": ""}, {"POOLWITNESS": "0"}):
        found = modules(MODULES, "-I", **off)
        assert not {name for name in found if name.startswith("poolwitness")}
        assert found <= bare


def test_off_the_site_folder_imports_nothing() -> None:
    plain = modules()
    assert modules(PYTHONPATH=SITE) - plain <= {"sitecustomize"}


@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": SITE}], ids=["pth", "pth and sitedir"])
def test_on_without_a_pool_imports_the_finder_alone(variables: dict[str, str]) -> None:
    more = modules(**ON, **variables) - modules(**variables)
    # atexit is a part of the interpreter itself, and so is select in some builds.
    names = ("", ".boot", ".boot.import_hook", ".model", ".model.startup")
    assert more - {"atexit", "select"} == {f"poolwitness{name}" for name in names}


@pytest.mark.matrix
def test_on_without_a_pool_nothing_else_is_there() -> None:
    program = """
        import atexit, signal, sys, threading
        print(threading.active_count(), [signal.getsignal(number) for number in sorted(signal.valid_signals())])
        print(sys.excepthook, sys.unraisablehook, threading.excepthook, sys.getprofile(), sys.gettrace())
    """
    with_agent, without = both(program)
    same(with_agent, without)
    assert with_agent.stderr == b""


def test_libraries_are_imported_with_the_first_pool() -> None:
    program = """
        import sys, psycopg_pool
        print(sorted({"structlog", "psutil"} & set(sys.modules)))
        psycopg_pool.ConnectionPool(open=False, min_size=0, max_size=1)
        print(sorted({"structlog", "psutil"} & set(sys.modules)))
    """
    assert run(program, environment(**ON)).stdout == b"[]\n['psutil', 'structlog']\n"
