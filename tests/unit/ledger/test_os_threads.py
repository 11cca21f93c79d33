"""What is sampled of a thread is what psutil, which takes much longer, says of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import psutil
import pytest

from poolwitness.ledger import os_threads


@pytest.fixture
def asleep() -> Iterator[int]:
    """The id of a thread that waits."""
    begun, over = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        over.wait()

    thread = threading.Thread(target=wait, name="a name (with) parentheses")
    thread.start()
    begun.wait()
    assert thread.native_id is not None
    yield thread.native_id
    over.set()
    thread.join()
    # Python's thread is over a moment before the system's.
    while os_threads.sample({thread.native_id}):
        pass


def test_a_sample_has_the_times_of_its_thread_alone(asleep: int) -> None:
    found = os_threads.sample({asleep, 2**22 + 1})
    assert set(found) == {asleep}
    taken_s = found[asleep].cpu_user_s
    assert taken_s is not None
    assert 0.0 <= taken_s < 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell the times only")
def test_a_sample_says_what_psutil_says(asleep: int) -> None:
    process = psutil.Process(asleep)
    while process.status() != psutil.STATUS_SLEEPING:
        pass
    before = process.num_ctx_switches()
    found = os_threads.sample({asleep})[asleep]
    after = process.num_ctx_switches()
    assert found.state == psutil.STATUS_SLEEPING
    assert found.started_at == pytest.approx(process.create_time(), abs=0.05)
    assert found.switches_voluntary is not None and found.switches_involuntary is not None
    assert before.voluntary <= found.switches_voluntary <= after.voluntary
    assert before.involuntary <= found.switches_involuntary <= after.involuntary
    found.started_at = 7.0
    assert os_threads.sample({asleep}, {asleep: found})[asleep].started_at == 7.0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell the times only")
def test_a_container_that_hides_when_it_was_started_costs_that_alone(
    asleep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden() -> float:
        raise RuntimeError("no btime")

    monkeypatch.setattr(psutil, "boot_time", hidden)
    found = os_threads.sample({asleep})[asleep]
    assert found.started_at is None
    assert found.cpu_user_s is not None
