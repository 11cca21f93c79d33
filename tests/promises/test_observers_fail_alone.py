"""A fault in any method of any observer of a real agent disables that observer alone, and the program runs on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from poolwitness.blackbox.recorder import BlackBoxRecorder
from poolwitness.ledger.observers import Observer
from poolwitness.otel.session import OtelSession
from poolwitness.otel.timings import Timings
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.dump_server import DumpServer
from poolwitness.runtime.lifecycle_events import LifecycleEvents
from poolwitness.runtime.reporter import Reporter
from poolwitness.runtime.sweep import SweepScheduler
from poolwitness.runtime.verdict import Verdict
from tests.support.programs import ON, Ran, environment, run, same

pytestmark = pytest.mark.slow
BREAKS_THE_AGENT = True

PROGRAM = Path(__file__).with_name("programs") / "observer_fault.py"
# The guard of each.
OBSERVERS: dict[type[Observer], str] = {
    BlackBoxRecorder: "blackbox",
    Timings: "telemetry",
    OtelSession: "telemetry",
    Reporter: "report",
    LifecycleEvents: "lifecycle",
    RuleChecks: "checks",
    SweepScheduler: "sweeper",
    DumpServer: "asked",
    Verdict: "exit",
}
METHODS = [
    (observer, event)
    for observer in OBSERVERS
    for event, method in vars(Observer).items()
    if callable(method) and getattr(observer, event) is not method
]
# Nothing fails for these to hear of.
UNREACHED = {"Reporter.component_failed", "BlackBoxRecorder.component_failed"}


def program(dsn: str, folder: Path, *arguments: str, agent: bool = True) -> tuple[Ran, dict[str, Any]]:
    """The program once, and what it says of its guards."""
    folder.mkdir()
    state = folder / "state"
    variables = {"DSN": dsn, "STATE": str(state)}
    if agent:
        variables |= {
            **ON,
            "POOLWITNESS_SWEEP_S": "0.02",
            "POOLWITNESS_HELD_S": "0.05",
            "POOLWITNESS_OUTPUT": "stderr,otel",
            "POOLWITNESS_BLACKBOX": str(folder),
        }
    ran = run(PROGRAM.read_text(), environment(**variables), *arguments)
    return ran, json.loads(state.read_text()) if state.exists() else {}


def test_each_observer_fails_alone(dsn: str, tmp_path: Path) -> None:
    without, _ = program(dsn, tmp_path / "without", agent=False)
    assert without.status == 0, without.stderr.decode()
    undisturbed, state = program(dsn, tmp_path / "with")
    same(undisturbed, without)
    assert state["disabled"] == []

    def inject(method: tuple[type[Observer], str]) -> str:
        observer, event = method
        name = f"{observer.__name__}.{event}"
        ran, state = program(dsn, tmp_path / name, observer.__module__, name)
        same(ran, without)
        if name in UNREACHED:
            return ""
        if not state["reached"]:
            return f"{name}: not reached"
        # A fork is heard of in the child alone, where no one asks.
        if state["disabled"] != ([OBSERVERS[observer]] if event != "forked" else []):
            return f"{name}: disabled {state['disabled']}"
        # One event in each process in which it failed, though `otel` without a provider writes each line again.
        failures = ran.named("poolwitness.agent.part_disabled")
        told = [pid for pid, _ in {(found["process.pid"], found["poolwitness.seq"]) for found in failures}]
        if len(told) != len(set(told)) or not told:
            return f"{name}: reported {len(told)} times"
        return f"{name}: its text was reported" if b"hunter2" in ran.stderr else ""

    with ThreadPoolExecutor(4) as pool:
        problems = [problem for problem in pool.map(inject, METHODS) if problem]
    assert not problems, "\n".join(problems)
