"""Observers hear of what they override, in their order, and fail alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from poolwitness.guards import Guard
from poolwitness.ledger.observers import Observer, Observers

NAMESPACE: dict[str, Any] = {"__name__": "poolwitness.test"}
exec("def ours(*arguments, **named):\n    raise ValueError('ours')", NAMESPACE)
EVENTS = [name for name, value in vars(Observer).items() if callable(value)]
# Each event with as many arguments as it has.
ARGUMENTS: dict[str, list[Any]] = {
    name: [object() for _ in range(getattr(Observer, name).__code__.co_argcount - 1)] for name in EVENTS
}


def observer(name: str, *overridden: str, act: Callable[..., Any] | None = None) -> Any:
    """An observer with a guard of its own that keeps what it hears, and then acts."""

    def method(event: str) -> Callable[..., Any]:
        def heard(self: Any, *arguments: Any) -> Any:
            self.heard.append((event, *arguments))
            return act(*arguments) if act is not None else name

        return heard

    made: Any = type(name, (Observer,), {event: method(event) for event in overridden})()
    made.guard = Guard(name)
    made.heard = []
    return made


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_reaches_those_that_override_it_in_their_order(event: str) -> None:
    observers = Observers()
    order: list[str] = []
    first = observer("first", event, act=lambda *_: order.append("first"))
    deaf = observer("deaf")
    last = observer("last", event, act=lambda *_: order.append("last"))
    observers.register([first, deaf, last])
    getattr(observers, event)(*ARGUMENTS[event])
    assert first.heard == last.heard == [(event, *ARGUMENTS[event])]
    assert order == ["first", "last"]
    assert len(observers.methods[event]) == 2, "who does not override an event costs nothing"


@pytest.mark.parametrize("event", EVENTS)
def test_one_that_fails_is_disabled_alone(event: str) -> None:
    observers = Observers()
    first, last = observer("first", event), observer("last", event)
    failing = observer("failing", event, act=NAMESPACE["ours"])
    observers.register([first, failing, last])
    for _ in range(2):
        getattr(observers, event)(*ARGUMENTS[event])
    # An observer is called about a failure of its own, too.
    times = 2 if event == "component_failed" else 1
    assert [len(each.heard) for each in (first, failing, last)] == [2, times, 2]
    assert [each.guard.enabled for each in (first, failing, last)] == [True, False, True]


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError])
@pytest.mark.parametrize("event", EVENTS)
def test_an_exception_of_the_programs_passes(event: str, error: type[BaseException]) -> None:
    def interrupted(*_: Any) -> None:
        raise error

    observers = Observers()
    one = observer("one", event, act=interrupted)
    observers.register([one])
    with pytest.raises(error):
        getattr(observers, event)(*ARGUMENTS[event])
    assert one.guard.enabled


def test_the_result_of_an_event_is_that_of_the_last() -> None:
    observers = Observers()
    observers.register([observer("one", "request_waiting"), observer("deaf")])
    ask: Any = observers.request_waiting
    assert ask(*ARGUMENTS["request_waiting"]) == "one"
    observers.register([])
    assert ask(*ARGUMENTS["request_waiting"]) is None


def test_a_hot_event_that_nothing_overrides_costs_nothing() -> None:
    observers = Observers()
    observers.register([observer("deaf"), observer("other", "swept")])
    assert observers.hot("checkout_taken") is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_hot_event_is_one_call(count: int) -> None:
    observers = Observers()
    each = [observer(str(number), "checkout_taken") for number in range(count)]
    failing = observer("failing", "checkout_taken", act=NAMESPACE["ours"])
    observers.register([each[0], failing, *each[1:]])
    taken = observers.hot("checkout_taken")
    assert taken is not None
    connection: Any = object()
    taken(connection)
    taken(connection)
    assert all(one.heard == [("checkout_taken", connection)] * 2 for one in each)
    assert len(failing.heard) == 1
    assert not failing.guard.enabled
    assert all(one.guard.enabled for one in each)


def test_registering_replaces_all_at_once() -> None:
    observers = Observers()
    one, other = observer("one", "swept"), observer("other", "swept")
    observers.register([one])
    before = observers.methods
    observers.register([other])
    assert observers.methods is not before
    swept: Any = observers.swept
    swept(*ARGUMENTS["swept"])
    assert not one.heard
    assert len(other.heard) == 1
