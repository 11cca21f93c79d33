"""Compare a run under the agent with the run without it, and with the scenario's header."""

from __future__ import annotations

import sys
from collections import Counter
from difflib import unified_diff
from pathlib import Path

from tests.support.scenarios.agent_lines import Event, split
from tests.support.scenarios.collection import Scenario
from tests.support.scenarios.program_output import comparable
from tests.support.scenarios.runs import Run

# A pool of a scenario has a worker and a scheduler: on Python 3.13 its __del__ waits 5 s for each.
THREADS = 2
DELAY_S = 5.0 * THREADS

Place = tuple[str, str, int]


def verify_baseline(scenario: Scenario, run: Run) -> None:
    """Without the agent the program does what its header says: its status, and what it costs the exit."""
    events, own = split(run.stderr)
    assert not events, f"the agent spoke though it was off: {events}"
    assert run.status == scenario.header.status, _shown(run)
    if any(name.startswith("POOLWITNESS") for name in scenario.header.env):
        return  # the header says what happens under that setting
    assert _pools_finalized_late(own) == scenario.header.expected("PW003"), _shown(run)


def _pools_finalized_late(own: list[str]) -> float:
    if sys.version_info >= (3, 14):
        return sum(line.startswith("PythonFinalizationError") for line in own)
    return sum(line.startswith("couldn't stop thread") for line in own) / THREADS


def verify_unchanged(scenario: Scenario, run: Run, baseline: Run) -> None:
    """The agent changed nothing that the program says or returns."""
    assert run.stdout == baseline.stdout, _shown(run)
    assert run.status == baseline.status, _shown(run)
    if "POOLWITNESS_CLOSE" in scenario.header.env:
        return  # it was asked to spare the program what it complains of
    # Where exactly a signal finds a program is luck.
    frames = scenario.header.signal is None
    own, other = (comparable(split(each.stderr)[1], frames) for each in (run, baseline))
    if scenario.header.any_order:
        own, other = sorted(own), sorted(other)
    assert own == other, "\n".join(unified_diff(other, own, "stderr without", "stderr with the agent", lineterm=""))


def verify_findings(scenario: Scenario, run: Run) -> None:
    """The agent found what the header says, at the right lines, and nothing else."""
    events, _ = split(run.stderr)
    if scenario.header.outcome == "silence":
        assert not events, events
        return
    findings = [event for event in events if event["event"] == "poolwitness.finding"]
    found = Counter(_place(finding) for finding in findings)
    taken_back = Counter(_place(event) for event in events if event["event"] == "poolwitness.finding.resolved")
    for each in scenario.header.expectations:
        if not each.applies:
            continue
        places = [(each.code, *_resolved(scenario.header.marks[mark])) for mark in each.marks]
        here = next((place for place in places if found[place] >= each.count), None)
        assert here is not None, (
            f"{each.count} x {each.code} at {each.marks} missing among {dict(found)}\n{_shown(run)}"
        )
        found[here] -= each.count
        taken_back[here] -= each.count if each.resolved else 0
    extra = +found
    assert not extra, f"nobody expects {dict(extra)}\n{_shown(run)}"
    assert not any(taken_back.values()), f"more or fewer are taken back: {dict(taken_back)}\n{_shown(run)}"
    _verify_verdicts(scenario, run, events)
    _verify_delays(run, findings)


def _resolved(mark: tuple[Path, int]) -> tuple[str, int]:
    return str(mark[0]), mark[1]


def _place(finding: Event) -> Place:
    return finding["poolwitness.rule"], finding["code.file.path"], finding["code.line.number"]


def _verify_verdicts(scenario: Scenario, run: Run, events: list[Event]) -> None:
    verdicts = [event for event in events if event["event"] == "poolwitness.verdict"]
    mine = [verdict for verdict in verdicts if verdict["process.pid"] == run.pid]
    assert len(mine) == (0 if scenario.header.outcome == "no verdict" else 1), _shown(run)
    counts = Counter(verdict["process.pid"] for verdict in verdicts)
    assert all(count == 1 for count in counts.values()), f"more than one verdict of a process: {counts}"
    for pid in {event["process.pid"] for event in events}:
        starts = [event["event"] for event in events if event["process.pid"] == pid]
        assert starts.count("poolwitness.agent.started") <= 1, _shown(run)
    for verdict in verdicts:
        _verify_counts(verdict, [event for event in events if _before(event, verdict)])


def _before(event: Event, verdict: Event) -> bool:
    return bool(
        event["process.pid"] == verdict["process.pid"] and event["poolwitness.seq"] < verdict["poolwitness.seq"]
    )


def _verify_counts(verdict: Event, events: list[Event]) -> None:
    found = Counter(event["poolwitness.rule"] for event in events if event["event"] == "poolwitness.finding")
    taken_back = [event["poolwitness.rule"] for event in events if event["event"] == "poolwitness.finding.resolved"]
    found -= Counter(taken_back)
    assert verdict["poolwitness.resolved"] == len(taken_back), verdict
    assert verdict["poolwitness.verdict"] == ("findings" if found else "clean"), verdict
    assert verdict["poolwitness.findings"] == sum(found.values()), verdict
    told = {key.rpartition(".")[2]: value for key, value in verdict.items() if key.startswith("poolwitness.found.")}
    assert told == dict(found), verdict
    happened = Counter(event["event"] for event in events)
    assert verdict["poolwitness.pools_opened"] == happened["poolwitness.pool.opened"], verdict
    assert verdict["poolwitness.pools_closed"] == happened["poolwitness.pool.closed"], verdict
    not_told = verdict["poolwitness.pools_open"] - found["PW001"]
    assert 0 <= not_told <= verdict["poolwitness.ignored"], verdict


def _verify_delays(run: Run, findings: list[Event]) -> None:
    delays = [event["poolwitness.exit_delay_s"] for event in findings if event["poolwitness.rule"] == "PW003"]
    if sys.version_info >= (3, 14):
        assert all(delay < 1.0 for delay in delays), delays
    else:
        lost = DELAY_S * len(delays)
        assert abs(sum(delays) - lost) <= 0.1 * lost, f"{delays} are not the {lost} s that were lost"
    _, own = split(run.stderr)
    assert _pools_finalized_late(own) == len(delays), f"told: {delays}\n{_shown(run)}"


def _shown(run: Run) -> str:
    events, own = split(run.stderr)
    told = [f"{_named(event)}: {event['message']}" for event in events]
    parts = {"stdout": run.stdout.decode(errors="replace"), "stderr": "\n".join(own), "told": "\n".join(told)}
    shown = "".join(f"\n--- {name}\n{text}" for name, text in parts.items())
    return f"status {run.status} after {run.seconds:.1f} s{shown}"


def _named(event: Event) -> str:
    return f"{event['process.pid']} {event['event']} {event.get('poolwitness.rule', '')}".rstrip()
