"""Each module of the agent is loaded at its moment and not before, in real programs."""

from __future__ import annotations

import importlib.util
import subprocess

import pytest

from tests.architecture.test_layers import MODULES
from tests.support.programs import environment, run

START, PSYCOPG_POOL, FIRST_POOL, ON_REQUEST, NEVER = range(5)
# A module belongs to the moment of its longest prefix here.
MOMENTS = {
    "__init__": START,
    "_version": PSYCOPG_POOL,
    "agent": FIRST_POOL,
    "blackbox": ON_REQUEST,
    "boot": START,
    "boot.first_pool": PSYCOPG_POOL,
    "boot.last_resort": PSYCOPG_POOL,
    "boot.sigterm": ON_REQUEST,
    "cli": NEVER,
    "config": FIRST_POOL,
    "contract": NEVER,
    "diagnose": FIRST_POOL,
    "diagnose.pages": NEVER,
    "dump": FIRST_POOL,
    "dump.client": NEVER,
    "guards": PSYCOPG_POOL,
    "ledger": FIRST_POOL,
    "logreport": NEVER,
    "__main__": NEVER,
    "model": START,
    "observe": FIRST_POOL,
    "otel": ON_REQUEST,
    "pytest_plugin": NEVER,
    "report": FIRST_POOL,
    "report.console": ON_REQUEST,
    "report.events": NEVER,
    "report.profiles": ON_REQUEST,
    "runtime": FIRST_POOL,
    "site": NEVER,
    "snapshot": FIRST_POOL,
}
# Parts of a package that starts earlier.
MOMENTS.update({name: FIRST_POOL for name in MODULES if name.startswith("model.") and name != "model.startup"})
LIBRARIES = {"structlog": FIRST_POOL, "psutil": FIRST_POOL}
STANDARD_LIBRARY_AT_START = {"atexit", "select"}

POOLS = {
    "sync": 'psycopg_pool.ConnectionPool("", open=False, min_size=0, max_size=1)',
    "null": 'psycopg_pool.NullConnectionPool("", open=False, max_size=1)',
    "async": 'psycopg_pool.AsyncConnectionPool("", open=False, min_size=0, max_size=1)',
}
PROGRAM = """
    import sys
    print(*sorted(sys.modules))
    import psycopg_pool
    print(*sorted(sys.modules))
    pool = {pool}
    print(*sorted(sys.modules))
"""
ON = {"POOLWITNESS": "1", "POOLWITNESS_FORMAT": "json"}
Loaded = list[set[str]]


def moment_of(name: str) -> int:
    """The moment of a module, by its dotted name within the package."""
    while name not in MOMENTS:
        name = name.rpartition(".")[0]
        assert name, "a module without a moment"
    return MOMENTS[name]


def expected(moment: int) -> set[str]:
    """The modules that may be loaded at a moment, by their names within the package."""
    return {name for name in MODULES if moment_of(name) <= moment}


def modules(kind: str = "sync", **variables: str) -> Loaded:
    """All that is loaded at the three moments."""
    # What the agent writes may be text for people here.
    env = environment(PYTHONWARNINGS="ignore", **variables)
    ran = run(PROGRAM.format(pool=POOLS[kind]), env, stderr=subprocess.DEVNULL)
    assert ran.status == 0
    return [set(line.split()) for line in ran.stdout.decode().splitlines()]


def own(loaded: set[str]) -> set[str]:
    """The modules of this package, by their names within it."""
    return {name.partition(".")[2] or "__init__" for name in loaded if name.partition(".")[0] == "poolwitness"}


def libraries(loaded: set[str]) -> set[str]:
    """Those that the agent brings with it."""
    return loaded & set(LIBRARIES)


def test_every_module_has_a_moment() -> None:
    for name in MODULES:
        assert moment_of(name) in range(5)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("level", ["exit", "watch", "trace"])
def test_each_module_is_loaded_at_its_moment(level: str, kind: str) -> None:
    on, off = modules(kind, **ON, POOLWITNESS_LEVEL=level), modules(kind)
    for moment in (START, PSYCOPG_POOL, FIRST_POOL):
        # Exactly these: a module that no first pool loads would be loaded later, while the program forks.
        assert own(on[moment]) == expected(moment), moment
        assert libraries(on[moment]) == {name for name, at in LIBRARIES.items() if at <= moment}
        assert not own(off[moment]) and not libraries(off[moment])
    assert {name for name in on[START] - off[START] if not name.startswith("poolwitness")} == STANDARD_LIBRARY_AT_START
    assert {name for name in on[PSYCOPG_POOL] - off[PSYCOPG_POOL] if not name.startswith("poolwitness")} <= {"atexit"}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("variables", "requested", "at"),
    [
        ({"POOLWITNESS_BLACKBOX": "box"}, {"blackbox"}, PSYCOPG_POOL),
        ({"POOLWITNESS_OUTPUT": "otel"}, {"otel"}, PSYCOPG_POOL),
        ({"POOLWITNESS_SIGNAL": "SIGUSR2"}, set(), PSYCOPG_POOL),
        ({"POOLWITNESS_SIGTERM": "1"}, {"boot.sigterm"}, START),
        ({"POOLWITNESS_FORMAT": "console"}, {"report.console"}, FIRST_POOL),
        ({"POOLWITNESS_PROFILE": "ecs"}, {"report.profiles"}, FIRST_POOL),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_asked_for_is_loaded_and_nothing_else(variables: dict[str, str], requested: set[str], at: int) -> None:
    if "otel" in requested and importlib.util.find_spec("opentelemetry") is None:
        pytest.skip("no OpenTelemetry here")
    on = modules(**{**ON, **variables})
    for moment in (START, PSYCOPG_POOL, FIRST_POOL):
        # The signal, the black box and the output otel have work to do before there is a pool.
        everything = FIRST_POOL if moment >= at == PSYCOPG_POOL else moment
        found = own(on[moment])
        assert found >= expected(everything)
        more = found - expected(everything)
        assert not {name for name in more if moment_of(name) != ON_REQUEST}
        packages = {name for name in requested if any((f"{one}.").startswith(f"{name}.") for one in more)}
        assert packages == (requested if moment >= at else set())
        assert all(any(f"{one}.".startswith(f"{name}.") for name in requested) for one in more), more
