"""What came of a comparison, for people."""

from __future__ import annotations

import sys
from collections import Counter

from tools.psycopg_suite.compare import Comparison
from tools.psycopg_suite.suite import Run


def counted(run: Run) -> str:
    """How many tests had which outcome."""
    counts = Counter(run.outcomes.values())
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


def show(comparison: Comparison) -> bool:
    """Print what differs; whether nothing does."""
    found = [suspect for suspect in comparison.suspects if suspect.differs]
    verdict = "the same" if not found else f"{len(found)} differ"
    print(f"with the agent at level {comparison.level}: {verdict}")
    for failure in comparison.agent_failures:
        print(f"  no comparison: {failure}")
    for suspect in comparison.suspects:
        what = "DIFFERS" if suspect.differs else "flaky"
        print(f"  {what}: {suspect.test}: {_words(suspect.without)} without, {_words(suspect.with_agent)} with")
    for suspect in found:
        print("    " + suspect.text[-2000:].replace("\n", "\n    "))
    sys.stdout.flush()
    return not found and not comparison.agent_failures


def _words(tally: Counter[str]) -> str:
    return " and ".join(f"{count} times {outcome}" for outcome, count in tally.most_common())
