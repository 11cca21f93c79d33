"""Every scenario under ``scenarios/`` finds exactly what its header says, and behaves as without the agent."""

from __future__ import annotations

import sys

import pytest

from tests.support.scenarios.agent_lines import split
from tests.support.scenarios.collection import Scenario, find_scenarios, found_files, some_of_each_kind
from tests.support.scenarios.parallel_runs import ParallelRuns
from tests.support.scenarios.verify import verify_baseline, verify_findings, verify_unchanged

# The last of some hundred runs waits for all the others, and on Python 3.13 many of them sleep for 10 s.
pytestmark = pytest.mark.timeout(900)

SCENARIOS = find_scenarios()
BY_ID = {scenario.id: scenario for scenario in SCENARIOS}
OF_EACH_KIND = some_of_each_kind(SCENARIOS)
MARKED = [
    pytest.param(scenario, marks=[] if scenario in OF_EACH_KIND else pytest.mark.sampled, id=scenario.id)
    for scenario in SCENARIOS
]

OTHER_MODES = ["sitedir", "pth and sitedir", "run", "in code"]
BY_EVERY_MODE = [
    "left_open/after_an_uncaught_exception",
    "left_open/through_a_library",
    "closed/by_atexit",
    "dropped/in_a_function",
    "asynchronous/left_open",
    "misused/used_after_close_in_a_thread",
    "processes/ctrl_c",
    "undisturbed/no_pool",
    "undisturbed/own_structlog",
]
SWITCHED_OFF = ["dropped/in_a_function", "asynchronous/left_open", "undisturbed/looks_at_itself"]


def _skip_elsewhere(scenario: Scenario) -> None:
    if not scenario.header.runs_here:
        pytest.skip("it is for " + ", ".join(f"{each.what}{each.releases}" for each in scenario.header.only))


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["pth"])
@pytest.mark.parametrize("scenario", MARKED)
def test_scenario(scenario: Scenario, mode: str, runs: ParallelRuns) -> None:
    """With the agent switched on by its ``.pth``."""
    _skip_elsewhere(scenario)
    run, baseline = runs.run(scenario, mode), runs.baseline(scenario, mode)
    verify_baseline(scenario, baseline)
    verify_unchanged(scenario, run, baseline)
    verify_findings(scenario, run)


@pytest.mark.matrix
@pytest.mark.per_python
@pytest.mark.parametrize("mode", OTHER_MODES)
@pytest.mark.parametrize("scenario", [BY_ID[name] for name in BY_EVERY_MODE], ids=lambda scenario: scenario.id)
def test_scenario_by_every_mode(scenario: Scenario, mode: str, runs: ParallelRuns) -> None:
    """The same by the other modes of activation, one of which is two at once."""
    run, baseline = runs.run(scenario, mode), runs.baseline(scenario, mode)
    verify_unchanged(scenario, run, baseline)
    verify_findings(scenario, run)


@pytest.mark.matrix
@pytest.mark.per_python
@pytest.mark.parametrize("mode", ["off"])
@pytest.mark.parametrize("scenario", [BY_ID[name] for name in SWITCHED_OFF], ids=lambda scenario: scenario.id)
def test_switched_off(scenario: Scenario, mode: str, runs: ParallelRuns) -> None:
    """Installed and off: not a line."""
    run, baseline = runs.run(scenario, mode), runs.baseline(scenario, mode)
    assert split(run.stderr)[0] == []
    verify_unchanged(scenario, run, baseline)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_header(scenario: Scenario) -> None:
    """Every header can be read, and every mark is used."""
    assert scenario.header.sentence.endswith((".", ":"))
    assert scenario.program.stem not in sys.stdlib_module_names, "its neighbours would import it instead"


def test_no_stray_files() -> None:
    """Every file belongs to a scenario."""
    assert set(found_files()) == {file for scenario in SCENARIOS for file in scenario.files}
