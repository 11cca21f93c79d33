"""The interface between the patches and the components that use what they see.

An observer overrides the methods that it needs. `Observers` calls those, and no others, in the order in which they
were registered, each inside the observer's own guard: one that fails is disabled and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from poolwitness.guards import Guard

if TYPE_CHECKING:
    from poolwitness.ledger.connections import TrackedConnection, WorkerTask
    from poolwitness.ledger.pools import TrackedPool
    from poolwitness.ledger.stacks import RawStack
    from poolwitness.model.records import Snapshot


class Observer:
    """Called in the program's threads, after its own call, with no lock of ours held; every method is optional."""

    guard: Guard

    # pools

    def pool_creating(self) -> None:
        """A pool is about to be created."""

    def pool_created(self, pool: TrackedPool) -> None:
        """A pool was created, and its constructor is about to return."""

    def pool_opening(self, is_async: bool) -> None:
        """A pool is about to be opened."""

    def pool_opened(self, pool: TrackedPool) -> None:
        """A pool was opened, and the call that opened it is about to return.

        For a sync pool, a method must not release the GIL: its workers would run earlier than without the agent, and a
        pool that is dropped at once would be finalized by one of them.
        """

    def pool_changed(self, pool: TrackedPool, change: str) -> None:
        """Something that a rule may report happened to a pool; *change* says what."""

    def pool_closed(self, pool: TrackedPool) -> None:
        """A pool was closed."""

    def pool_collected(self, pool: TrackedPool) -> None:
        """A pool was garbage-collected."""

    # connections and requests

    def request_waiting(self, pool: Any, request: RawStack, holder: str, in_task: bool) -> Any:
        """A request begins to wait for a connection of the host's *pool*; the result is passed to `request_done`."""

    def request_done(self, waiting: Any) -> None:
        """It has its connection, or gave up."""

    def request_refused(self, pool: TrackedPool, error: BaseException, is_new: bool) -> None:
        """PoolTimeout or TooManyRequests is on its way to the application; *is_new* if it begins an episode."""

    def connection_made(self, pool: TrackedPool, seconds: float) -> None:
        """A connection was made and configured, which took *seconds*."""

    def connection_failed(self, pool: TrackedPool, is_new: bool) -> None:
        """A connection could not be made; *is_new* for an error of a kind that was not met before."""

    def connection_collected(self, connection: TrackedConnection) -> None:
        """A connection was garbage-collected; it is a lost slot if it was checked out."""

    def checkout_waited(self, connection: TrackedConnection, seconds: float) -> None:
        """The pool had no idle connection for this checkout."""

    def checkout_taken(self, connection: TrackedConnection) -> None:
        """A connection was checked out. On the hot path."""

    def checkout_returned(self, connection: TrackedConnection) -> None:
        """A connection is being returned. On the hot path, before the host's call."""

    def suspicion_cleared(self, subject: TrackedConnection | WorkerTask) -> None:
        """A suspected connection was returned, or a suspected worker has finished its task."""

    # the process

    def synchronized(self) -> None:
        """The ledger is up to date, and nothing of the program's is in the middle of a step of ours."""

    def sweeping(self) -> None:
        """A sweep is about to take a snapshot."""

    def swept(self, snapshot: Snapshot) -> None:
        """A sweep has taken a snapshot and checked the rules."""

    def forked(self) -> None:
        """This process is a forked child: reset the state."""

    def process_ending(self, hook: str) -> None:
        """The process is ending; *hook* is what calls, as ``poolwitness.hook`` gives it."""

    def verdict_given(self) -> None:
        """The verdict was written, or there is none to give."""

    def component_failed(self, guard: Guard) -> None:
        """A component of the agent has failed and is disabled."""


Method = Callable[..., Any]
_EVENTS = tuple(name for name, value in vars(Observer).items() if callable(value))


class Observers(Observer):
    """Passes each event on to the observers that override it. No lock: all are registered by one assignment."""

    def __init__(self) -> None:
        self.methods: dict[str, tuple[tuple[Guard, Method], ...]] = dict.fromkeys(_EVENTS, ())

    def register(self, observers: Sequence[Observer]) -> None:
        """Replace the registered observers; an empty sequence removes all."""
        self.methods = {
            name: tuple(
                (observer.guard, getattr(observer, name))
                for observer in observers
                if getattr(type(observer), name) is not getattr(Observer, name)
            )
            for name in _EVENTS
        }

    def hot(self, name: str) -> Callable[[TrackedConnection], None] | None:
        """One function for an event of the hot path, resolved now; None if no observer overrides the event."""
        calls = [_guarded(guard, method) for guard, method in self.methods[name]]
        if len(calls) <= 1:
            return calls[0] if calls else None

        def call_all(connection: TrackedConnection) -> None:
            for call in calls:
                call(connection)

        return call_all


def _dispatch(name: str) -> Method:
    def call(self: Observers, *arguments: Any, **named: Any) -> Any:
        result = None
        for guard, method in self.methods[name]:
            # An observer is called about its own failure, too: it may have something to clean up.
            if guard.enabled or name == "component_failed":
                with guard:
                    result = method(*arguments, **named)
        return result

    call.__name__ = name
    return call


for _name in _EVENTS:
    setattr(Observers, _name, _dispatch(_name))


def _guarded(guard: Guard, method: Method) -> Callable[[TrackedConnection], None]:
    contains = guard.contains

    def call(connection: TrackedConnection) -> None:
        if guard.enabled:
            try:
                method(connection)
            except Exception as error:
                if not contains(error):
                    raise

    return call
