"""Run many scenarios at the same time: most of them sleep, so that the machine has little to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.support.scenarios.activation_modes import ACTIVATION_MODES, baseline_of, make_interpreters
from tests.support.scenarios.collection import Scenario
from tests.support.scenarios.runs import Run, run

# On Python 3.13 a run with an open pool sleeps for 10 s of its 10.5 s; elsewhere it is work, and two cores are soon
# taken: the tests that run beside are to have their share.
AT_ONCE = 12 if sys.version_info[:2] == (3, 13) else 4


class ParallelRuns:
    """The runs that a test session needs, each done once, all started at once.

    Args:
        wanted: scenarios, each with the mode of activation that a test is going to ask for.
        dsn: the database.
        folder: for the interpreters.
    """

    def __init__(self, wanted: Iterable[tuple[Scenario, str]], dsn: str, folder: Path) -> None:
        self._dsn = dsn
        self._pythons = make_interpreters(folder)
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scenario")
        self._futures: dict[tuple[str, str], Future[Run]] = {}
        jobs = dict.fromkeys((scenario, each) for scenario, mode in wanted for each in (baseline_of(mode), mode))
        # The longest first, so that none of them is left for the end.
        for scenario, mode in sorted(jobs, key=lambda job: -job[0].seconds):
            self._start(scenario, mode)

    def _start(self, scenario: Scenario, mode: str) -> Future[Run]:
        key = (scenario.id, mode)
        if key not in self._futures:
            launch = ACTIVATION_MODES[mode](scenario, self._pythons)
            self._futures[key] = self._executor.submit(run, scenario, launch, self._dsn)
        return self._futures[key]

    def run(self, scenario: Scenario, mode: str) -> Run:
        """The run of a scenario by one mode."""
        return self._start(scenario, mode).result()

    def baseline(self, scenario: Scenario, mode: str) -> Run:
        """The run that differs from it in nothing but the agent."""
        return self._start(scenario, baseline_of(mode)).result()

    def close(self) -> None:
        """Start nothing more, and wait for what is under way."""
        self._executor.shutdown(cancel_futures=True)
