"""A model and the ledger watch the same pools, and agree at every step of their random lives."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import poolwitness
from poolwitness import agent
from tests.processes.ledger_model.with_tasks import WithTasks
from tests.processes.ledger_model.with_threads import WithThreads

LIVES = settings(
    max_examples=8,
    stateful_step_count=50,
    deadline=None,
    # A life takes half a second: to look for a shorter one takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def _active(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The agent at work in this process, in silence."""
    # A captured warning of psycopg's would keep the connection that it is about.
    caplog.set_level(logging.CRITICAL, logger="psycopg.pool")
    poolwitness.activate(output="none", sweep_s="600", held_s="600")
    poolwitness.snapshot()  # loads the agent before the first pool
    assert agent.current().config.outputs == ("none",)
    yield
    poolwitness.deactivate()
    with pytest.raises(RuntimeError):
        agent.current()


@pytest.mark.matrix_once
@pytest.mark.usefixtures("_active")
@pytest.mark.parametrize("machine", [WithThreads, WithTasks])
def test_the_ledger_agrees(
    machine: type[WithThreads] | type[WithTasks], dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "dsn", dsn)
    run_state_machine_as_test(machine, settings=LIVES)
