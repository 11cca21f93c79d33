"""DESIGN section 3: with any one function of the agent made to raise, the program runs as if it were not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.promises.fault_injection.injection import functions, target
from tests.promises.fault_injection.runner import VARIANTS, ForkServers, Injected
from tests.support.programs import same

pytestmark = pytest.mark.slow
BREAKS_THE_AGENT = True

ALL = [target(module, name) for module, name, *_ in functions()]
# These are the boundary itself: what they call may raise, and nothing is left to catch what they raise.
BOUNDARIES = {
    **{name: "guards itself" for name in ALL if name.startswith("poolwitness.guards:") and ":Guards" not in name},
    "poolwitness.boot:_at_sigterm": "a thread's function, contained whole",
    "poolwitness.boot:_at_exit": "an atexit callback, contained whole",
    "poolwitness.boot.first_pool:FirstPool.load": "called by the constructors' wrapper",
    "poolwitness.boot.first_pool:FirstPool._before_fork": "a fork hook: takes a lock",
    "poolwitness.boot.first_pool:FirstPool._after_fork": "a fork hook: releases a lock",
    "poolwitness.boot.import_hook:PostImportFinder.find_spec": "the import system's: asks other finders, contains its own",
    "poolwitness.ledger.fork:_after_fork": "the fork hook itself",
    "poolwitness.ledger.fork:_in_child": "a fork hook: appends to deques",
    "poolwitness.observe.crossings:Crossings.check": "called before the host's call; all but an early return is guarded",
    "poolwitness.runtime.exit_hooks:_main_thread_over": "a callback of threading's, contained whole",
}


@pytest.fixture(scope="module")
def fork_servers(dsn: str) -> Iterator[ForkServers]:
    with ForkServers(dsn).running() as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(fork_servers: ForkServers) -> dict[str, Injected]:
    """Each variant without the agent."""
    return {variant: fork_servers.run(variant, agent=False) for variant in VARIANTS}


@pytest.fixture(scope="module")
def reached(fork_servers: ForkServers) -> dict[str, str]:
    """The functions that are called at all, and the variant that calls each."""
    found: dict[str, str] = {}
    for variant in reversed(VARIANTS):
        recorded = fork_servers.run(variant, record=True)
        assert recorded.ran.status == 0
        found.update(dict.fromkeys(recorded.reached, variant))
    return found


def test_the_program_does_what_it_is_for(undisturbed: dict[str, Injected], fork_servers: ForkServers) -> None:
    for variant, without in undisturbed.items():
        assert without.ran.status == 0, without.ran.stderr.decode()
        assert without.ran.stdout.endswith(b"over\n")
        assert without.ran.stderr == b""
        with_agent = fork_servers.run(variant)
        assert with_agent.ran.stdout == without.ran.stdout
    rules = set(fork_servers.run("rich").ran.rules)
    wanted = {
        "PW001",
        "PW002",
        "PW005",
        "PW006",
        "PW007",
        "PW101",
        "PW104",
        "PW105",
        "PW106",
        "PW201",
        "PW202",
        "PW301",
        "PW401",
        "PW402",
    }
    assert wanted <= rules, wanted - rules
    assert fork_servers.run("late").ran.rules == ["PW003"], "stderr, where logging cannot be called any more"


def test_a_boundary_is_what_it_says() -> None:
    assert set(BOUNDARIES) <= set(ALL)
    whole = {target(module, name) for module, name, _, contained in functions() if contained}
    assert {name for name, reason in BOUNDARIES.items() if "contained whole" in reason} <= whole


def test_most_functions_are_reached(reached: dict[str, str]) -> None:
    # A module of which nothing is called belongs to those who read what the agent leaves.
    modules = {name.partition(":")[0] for name in reached}
    known = {name for name in ALL if name.partition(":")[0] in modules}
    unreached = sorted(known - set(reached))
    assert len(unreached) < len(known) / 5, unreached


@pytest.mark.timeout(1800)
def test_any_one_function_may_raise(
    undisturbed: dict[str, Injected], reached: dict[str, str], fork_servers: ForkServers
) -> None:
    noticed = []
    silent = []
    chosen = [name for name in ALL if name not in BOUNDARIES]
    for variant in VARIANTS:
        targets = [name for name in chosen if reached.get(name) == variant]
        for injected in fork_servers.run_all(variant, targets):
            if injected.target not in injected.reached:
                silent.append(injected.target)
            try:
                same(injected.ran, undisturbed[variant].ran)
            except AssertionError as difference:
                noticed.append(f"{injected.target}: {str(difference)[:2000]}")
    assert not noticed, f"{len(noticed)} noticed:\n" + "\n".join(noticed)
    # A function that was recorded may hang on timing; most must have raised, or nothing was tested.
    assert len(silent) <= len(chosen) / 10, silent
