"""Compare two runs, and tell a difference from a flaky test by running it again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tools.psycopg_suite.suite import Run, Suite

TRIES = 3


@dataclass(frozen=True)
class Suspect:
    """A test whose outcome with the agent was another than without, and what became of it in all its tries."""

    test: str
    without: Counter[str]
    with_agent: Counter[str]
    text: str

    @property
    def differs(self) -> bool:
        """Whether it is the agent: without it always one outcome, with it mostly others."""
        if len(self.without) > 1:
            return not self.without.keys() & self.with_agent.keys()
        (usual,) = self.without or ("not run",)
        return self.with_agent[usual] * 2 < self.with_agent.total()


@dataclass(frozen=True)
class Comparison:
    """What the comparison of a level found."""

    level: str
    suspects: tuple[Suspect, ...]
    agent_failures: tuple[str, ...]


def compare(suite: Suite, level: str, without: Run) -> Comparison:
    """Run the suite with the agent and compare it with a run without.

    Args:
        suite: what to run.
        level: the agent's level.
        without: a run of the same suite without the agent.
    """
    with_agent = suite.run(level)
    texts = {**without.texts, **with_agent.texts}
    tests = sorted(without.outcomes.keys() | with_agent.outcomes.keys())
    differing = [test for test in tests if without.outcomes.get(test) != with_agent.outcomes.get(test)]
    runs = {None: [without], level: [with_agent]}
    if differing:
        for _ in range(TRIES):
            for tried, done in runs.items():
                done.append(suite.run(tried, differing))
    return Comparison(
        level,
        tuple(
            Suspect(test, _tally(runs[None], test), _tally(runs[level], test), texts.get(test, ""))
            for test in differing
        ),
        tuple(with_agent.agent_failures),
    )


def _tally(runs: list[Run], test: str) -> Counter[str]:
    return Counter(run.outcomes.get(test, "not run") for run in runs)
