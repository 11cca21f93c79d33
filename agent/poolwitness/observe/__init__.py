"""The patches of the host's classes: this module lists every one of them, a line each."""

from __future__ import annotations

from poolwitness.guards import Guards
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.observe.adapters import AdapterPatches
from poolwitness.observe.call_site import capture_for
from poolwitness.observe.checkout_faults import CheckoutFaults
from poolwitness.observe.checkouts import CheckoutPatches, expect_parameters
from poolwitness.observe.closed_use import ClosedUsePatches
from poolwitness.observe.connects import ConnectPatches
from poolwitness.observe.crossings import CHECKED, DRAINED, Crossings
from poolwitness.observe.finalizers import FinalizerPatches
from poolwitness.observe.patcher import Patcher
from poolwitness.observe.pool_wait import PoolWaitPatches
from poolwitness.observe.pools import PoolPatches
from poolwitness.observe.queue_wait import QueueWaitPatches, place_classes
from poolwitness.observe.workers import WorkerPatches, async_scheduler, task_classes


def install(
    patcher: Patcher,
    ledger: Ledger,
    observers: Observers,
    guards: Guards,
    level: str,
) -> PoolPatches:
    """Patch the host's classes; a group of patches that cannot be installed is left out and the others go on.

    Args:
        patcher: keeps what was replaced.
        ledger: where pools and connections are tracked.
        observers: notified of what the patches see; all of them must be registered by now.
        guards: one for each component.
        level: ``exit`` for pools only, ``watch``, or ``trace``.

    Returns:
        What the wrappers of the constructors call.
    """
    import psycopg_pool
    from psycopg_pool import sched

    sync, asynchronous = psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool
    both = (sync, asynchronous)
    with_null = (*both, psycopg_pool.NullConnectionPool, psycopg_pool.AsyncNullConnectionPool)
    around = patcher.around
    trace, watches_checkouts = level == "trace", level != "exit"

    crossings = Crossings(ledger, observers, guards.crossings)
    pools = PoolPatches(ledger, observers, crossings, guards.pools)
    closed_use = ClosedUsePatches(ledger, observers)
    with guards.pools:
        around(both, "_open", guards.pools, pools.opening, pools.opened, pools.open_failed)
        around(both, "open", guards.pools, pools.open_called, pools.open_ended, pools.open_ended)
        around(both, "close", guards.pools, pools.closing, pools.closed, pools.closed)
        around(sync, "__enter__", guards.pools, pools.entered)
        around(asynchronous, "__aenter__", guards.pools, pools.entered)
        around(both, "_check_open", guards.pools, failed=closed_use.check_failed)
        if not watches_checkouts:
            # At the other levels getconn is wrapped and sees the same error; this would be one call more for each.
            around(both, "_check_open_getconn", guards.pools, failed=closed_use.check_failed)
    finalizers = FinalizerPatches(ledger, guards.finalizers)
    with guards.finalizers:
        patcher.wrap(sync, "__del__", finalizers.measured)
        patcher.wrap(sync, "close", finalizers.measured)
    workers = WorkerPatches(ledger, observers)
    with guards.workers:
        around(sync, "worker", guards.workers, failed=workers.thread_died)
        around(asynchronous, "worker", guards.workers, failed=workers.task_died)
        around(sched.Scheduler, "run", guards.workers, failed=workers.thread_died)
        if (scheduler := async_scheduler()) is not None:
            around(scheduler, "run", guards.workers, failed=workers.task_died)
    if not watches_checkouts:
        return pools

    with guards.workers:
        around(task_classes(), "run", guards.workers, workers.task_starting, workers.task_ended, workers.task_ended)
    with guards.crossings:
        around(both, "check", guards.crossings, crossings.before(CHECKED))
        around(both, "drain", guards.crossings, crossings.before(DRAINED))
    adapters = AdapterPatches(ledger)
    with guards.adapters:
        from psycopg.adapt import AdaptersMap

        around(AdaptersMap, "register_dumper", guards.adapters, adapters.registering, adapters.registered)
        around(AdaptersMap, "register_loader", guards.adapters, adapters.registering, adapters.registered)
    faults = CheckoutFaults(ledger, observers, closed_use, trace)
    checkouts = CheckoutPatches(ledger, observers, faults, crossings, guards.checkouts, trace)
    with guards.checkouts:
        for cls in both:
            expect_parameters(cls.getconn, ("self", "timeout"))
            expect_parameters(cls.putconn, ("self", "conn"))
        patcher.wrap(sync, "getconn", checkouts.sync_getconn)
        patcher.wrap(sync, "putconn", checkouts.sync_putconn)
        patcher.wrap(asynchronous, "getconn", checkouts.async_getconn)
        patcher.wrap(asynchronous, "putconn", checkouts.async_putconn)
        waits = PoolWaitPatches(crossings, faults.request_failed)
        around(with_null, "wait", guards.checkouts, waits.waiting, failed=waits.wait_failed)
    connects = ConnectPatches(ledger, observers)
    with guards.connects:
        around(
            both, "_connect", guards.connects, connects.connecting, connects.connected, connects.connect_failed,
            connects.discard,
        )  # fmt: skip
    if observers.hot("request_waiting") is not None:
        queue = QueueWaitPatches(observers, capture_for(trace))
        with guards.blackbox:
            around(place_classes(), "wait", guards.blackbox, queue.waiting, queue.waited, queue.waited)
    return pools
