"""Sample the threads that pools run on: their state, CPU time and context switches."""

from __future__ import annotations

from poolwitness.guards import Guard
from poolwitness.ledger.os_threads import ThreadSample, sample
from poolwitness.ledger.pools import TrackedPool


class ThreadSampler:
    """Samples the pools' threads in turn, so that a sweep costs the same however many there are."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._next = 0

    def sample(self, pools: list[TrackedPool], most: int) -> None:
        """Sample at most *most* threads of these pools."""
        if self.guard.enabled:
            with self.guard:
                self._sample(pools, most)

    def _sample(self, pools: list[TrackedPool], most: int) -> None:
        wanted = [
            (pool, runner.native_id)
            for pool in pools
            if not pool.inherited
            for runner in pool.runners
            if runner.native_id is not None
        ]
        if not wanted:
            return
        if len(wanted) > most:
            start = self._next % len(wanted)
            wanted = (wanted[start:] + wanted[:start])[:most]
            self._next += most
        previous: dict[int, ThreadSample] = {
            native_id: samples[native_id]
            for pool, native_id in wanted
            if native_id in (samples := pool.thread_samples or {})
        }
        found = sample({native_id for _, native_id in wanted}, previous)
        for pool, native_id in wanted:
            if native_id in found:
                if pool.thread_samples is None:
                    pool.thread_samples = {}
                pool.thread_samples[native_id] = found[native_id]
