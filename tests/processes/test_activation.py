"""Starting the agent twice starts it once, and the import of psycopg_pool stays the program's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import poolwitness
from tests.support.programs import ON, both, environment, run, same

SITE = str(Path(poolwitness.__file__).parent / "site")

# Booting twice is booting once


@pytest.fixture(scope="module")
def hooks_of_one_boot() -> list[str]:
    """What is patched, by psycopg_pool's own names; a method may be wrapped for two reasons."""
    ran = run("import psycopg_pool; psycopg_pool.ConnectionPool(open=False)", environment(**ON))
    (started,) = ran.named("poolwitness.agent.started")
    hooks: list[str] = started["poolwitness.hooks"]
    return hooks


@pytest.mark.parametrize("in_code", [False, True])
@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": SITE}], ids=["pth", "pth and sitedir"])
def test_however_often_booted_it_starts_once(
    variables: dict[str, str], in_code: bool, hooks_of_one_boot: list[str]
) -> None:
    activate = "poolwitness.activate(); poolwitness.activate(level='exit');" if in_code else ""
    program = f"""
        import poolwitness, sys
        {activate}
        from psycopg_pool import ConnectionPool
        {activate}
        from poolwitness.boot import boot
        boot("pth"); boot("sitecustomize")
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1) as pool:
            pass
        print(len([finder for finder in sys.meta_path if "poolwitness" in type(finder).__module__]))
    """
    ran = run(program, environment(**ON, **variables))
    assert ran.stdout == b"0\n"
    assert ran.stderr.count(b'"poolwitness.agent.started"') == 1
    assert ran.stderr.count(b'"poolwitness.pool.opened"') == 1
    assert ran.stderr.count(b'"poolwitness.verdict"') <= 2
    assert len(ran.named("poolwitness.verdict")) == 1
    (started,) = ran.named("poolwitness.agent.started")
    assert started["poolwitness.hooks"] == hooks_of_one_boot
    assert started["poolwitness.setting.level"] == "watch"


# The import of psycopg_pool is the program's


@pytest.mark.matrix
def test_the_import_is_as_it_was() -> None:
    program = """
        import importlib.util, sys
        spec = importlib.util.find_spec("psycopg_pool")
        print(spec.name, type(spec.loader).__name__, "psycopg_pool" in sys.modules)
        import psycopg_pool
        print(psycopg_pool.__spec__.loader.__dict__.keys(), psycopg_pool.__loader__ is psycopg_pool.__spec__.loader)
        print([type(finder) for finder in sys.meta_path], psycopg_pool.__spec__ == spec)
    """
    with_agent, without = both(program)
    same(with_agent, without)


def test_another_import_hook_in_front_that_asks_everybody() -> None:
    program = """
        import sys
        class Asks:
            def find_spec(self, name, path=None, target=None):
                if name != "psycopg_pool":
                    return None
                for finder in sys.meta_path:
                    if finder is not self:
                        spec = finder.find_spec(name, path, target)
                        if spec is not None:
                            return spec
        sys.meta_path.insert(0, Asks())
        from psycopg_pool import ConnectionPool
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1):
            print("opened")
    """
    with_agent, without = both(program)
    same(with_agent, without)
    assert with_agent.verdict == "clean"


def test_a_missing_library_is_told_and_the_program_runs_on() -> None:
    program = """
        import sys
        sys.modules["{library}"] = None
        from psycopg_pool import ConnectionPool
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1):
            print("opened")
    """
    for library in ("structlog", "psutil"):
        with_agent, without = both(program.format(library=library))
        same(with_agent, without)
        (event,) = with_agent.events
        assert "ModuleNotFoundError" in event["message"]


@pytest.mark.parametrize(
    "ending", ["raise RuntimeError('host')", "import sys; sys.exit(7)", "import os; os._exit(4)", "1/0"]
)
def test_an_import_of_the_program_that_fails_fails_the_same(ending: str, tmp_path: Path) -> None:
    package = tmp_path / "psycopg_pool"
    package.mkdir()
    (package / "__init__.py").write_text(ending + "\n")
    with_agent, without = (
        subprocess.run(
            [sys.executable, "-c", "import psycopg_pool"],
            env=environment(PYTHONPATH=str(tmp_path), **variables),
            capture_output=True,
            timeout=60,
            check=False,
        )
        for variables in (ON, {})
    )
    assert with_agent.returncode == without.returncode
    assert with_agent.stdout == without.stdout
    assert b"poolwitness" not in with_agent.stderr.splitlines()[-1:] or not with_agent.stderr
