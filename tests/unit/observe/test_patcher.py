"""`around` calls the host exactly once, outside containment: the proof for every patch that is built with it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from poolwitness.guards import Guard
from poolwitness.observe.patcher import Patcher, around


class Foreign(Exception):
    """Raised by a signal handler of the program's."""


class HostError(Exception):
    """Raised by the host's method."""


NAMESPACE: dict[str, Any] = {"__name__": "poolwitness.observe.test", "sys": sys}
exec(
    "def ours():\n    raise ValueError('ours')\ndef interrupted(handler):\n    handler(14, sys._getframe())", NAMESPACE
)


def handler(_number: int, _frame: object) -> None:
    raise Foreign


def interrupt() -> None:
    raise KeyboardInterrupt


def cancel() -> None:
    raise asyncio.CancelledError


def nothing() -> None:
    pass


# What a line of ours does, and whether the program sees it.
ACTS: dict[str, tuple[Callable[[], Any], type[BaseException] | None]] = {
    "returns": (nothing, None),
    "ours": (NAMESPACE["ours"], None),
    "foreign": (functools.partial(NAMESPACE["interrupted"], handler), Foreign),
    "KeyboardInterrupt": (interrupt, KeyboardInterrupt),
    "CancelledError": (cancel, asyncio.CancelledError),
}
OUTCOMES = [None, HostError, KeyboardInterrupt, asyncio.CancelledError]


class Host:
    """A class of the host's, with a method of each kind."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.result = object()
        self.error: BaseException | None = None

    def method(self, one: int, /, two: int = 2, *rest: int, three: int = 3, **more: int) -> object:
        """Documentation."""
        self.calls.append((one, two, rest, three, more))
        if self.error is not None:
            raise self.error
        return self.result

    async def async_method(self, one: int, /, two: int = 2, *rest: int, three: int = 3, **more: int) -> object:
        """Documentation."""
        self.calls.append((one, two, rest, three, more))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.result


def drive(result: Any) -> Any:
    """The result, of a coroutine as well: without a loop, so that any exception comes out as it is."""
    if not inspect.iscoroutine(result):
        return result
    while True:
        try:
            result.send(None)
        except StopIteration as over:
            return over.value


def names_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("enabled", [True, False], ids=["enabled", "disabled"])
@pytest.mark.parametrize("name", ["method", "async_method"])
def test_the_host_is_called_exactly_once_outside_containment(
    name: str, enabled: bool, outcome: type[BaseException] | None
) -> None:
    this_frame = sys._getframe()
    for does_before, does_after, does_failed in itertools.product(ACTS, repeat=3):
        combination = f"{name}: before {does_before}, after {does_after}, failed {does_failed}"
        host = Host()
        host.error = outcome() if outcome is not None else None
        seen: list[tuple[Any, ...]] = []
        undone: list[Any] = []
        guard = Guard("part")
        guard.enabled = enabled
        frames: list[Any] = []

        def before(
            owner: Any,
            frame: Any,
            args: Any,
            kwargs: Any,
            does: str = does_before,
            seen: Any = seen,
            frames: Any = frames,
        ) -> str:
            seen.append(("before", owner, args[1:], kwargs))
            frames.append(frame)
            ACTS[does][0]()
            return "token"

        def after(
            owner: Any,
            frame: Any,
            token: Any,
            result: Any,
            does: str = does_after,
            seen: Any = seen,
            frames: Any = frames,
        ) -> None:
            seen.append(("after", owner, token, result))
            frames.append(frame)
            ACTS[does][0]()

        def failed(
            owner: Any,
            frame: Any,
            token: Any,
            error: Any,
            does: str = does_failed,
            seen: Any = seen,
            frames: Any = frames,
        ) -> None:
            seen.append(("failed", owner, token, error))
            frames.append(frame)
            ACTS[does][0]()

        wrapped = around(getattr(Host, name), guard, before, after, failed, undone.append)
        error: Any = None
        result = None
        try:
            result = drive(wrapped(host, 1, 20, 30, three=4, four=5))
        except BaseException as raised:  # noqa: BLE001
            error = raised

        # What the program must see, and of what follows what of ours.
        from_before, from_after, from_failed = (ACTS[does][1] for does in (does_before, does_after, does_failed))
        if not enabled:
            from_before = from_after = from_failed = None
        if from_before is not None:
            assert isinstance(error, from_before), combination
            assert not host.calls, f"{combination}: it is as if the exception had landed before the call"
            assert guard.enabled
            continue
        assert host.calls == [(1, 20, (30,), 4, {"four": 5})], combination
        # The first fault disables the guard, and nothing of ours runs after it.
        runs = enabled and does_before != "ours"
        token = "token" if runs else None
        expected: list[tuple[Any, ...]] = [("before", host, (1, 20, 30), {"three": 4, "four": 5})] if enabled else []
        if outcome is None:
            if runs:
                expected.append(("after", host, token, host.result))
            if runs and from_after is not None:
                assert isinstance(error, from_after), combination
                assert undone == [host.result], f"{combination}: the result is lost, so it is released"
            else:
                assert error is None, combination
                assert result is host.result, combination
                assert not undone, combination
            disabled = enabled and (does_before == "ours" or does_after == "ours")
        else:
            if runs:
                expected.append(("failed", host, token, host.error))
            if runs and from_failed is not None:
                assert isinstance(error, from_failed), combination
                assert error.__context__ is host.error, combination
            else:
                assert error is not None
                assert error is host.error, f"{combination}: the very exception"
                assert error is not None
                assert (error.__cause__, error.__context__) == (None, None), combination
                assert names_of(error)[-2:] == ["call", name], f"{combination}: one frame more"
                assert names_of(error).count("call") == 1, combination
            assert not undone, combination
            disabled = enabled and (does_before == "ours" or does_failed == "ours")
        assert seen == expected, combination
        assert guard.enabled == (enabled and not disabled), combination
        if name == "method":
            assert set(frames) <= {this_frame}, f"{combination}: the caller's frame"


def observed(name: str = "method", **hooks: Any) -> tuple[Any, Guard, list[str]]:
    """A wrapped method, its guard, and which of ours ran."""
    guard = Guard("part")
    ran: list[str] = []
    wrapped = around(
        getattr(Host, name),
        guard,
        lambda *_: ran.append("before"),
        lambda *_: ran.append("after"),
        lambda *_: ran.append("failed"),
        **hooks,
    )
    return wrapped, guard, ran


def test_without_self_the_host_says_so_and_ours_does_not_run() -> None:
    for name in ("method", "async_method"):
        wrapped, guard, ran = observed(name)
        with pytest.raises(TypeError) as with_ours:
            drive(wrapped())
        with pytest.raises(TypeError) as without:
            drive(getattr(Host, name)())
        assert str(with_ours.value) == str(without.value)
        assert not ran
        assert guard.enabled


def test_self_as_a_keyword() -> None:
    class Keyword:
        def method(self, value: int = 1) -> tuple[Keyword, int]:
            return self, value

    owners = []
    wrapped = around(Keyword.method, Guard("part"), lambda owner, *_: owners.append(owner))
    one = Keyword()
    assert wrapped(self=one, value=2) == (one, 2)
    assert wrapped(one, value=3) == (one, 3)
    assert owners == [one, one]


def test_called_straight_from_c() -> None:
    wrapped, guard, ran = observed()
    host = Host()
    assert list(map(wrapped, [host], [1])) == [host.result]
    assert functools.partial(wrapped, host, 1)() is host.result
    assert ran == ["before", "after"] * 2
    assert guard.enabled


def test_an_undo_that_fails_is_contained() -> None:
    wrapped, guard, _ = observed(undo=lambda _: NAMESPACE["ours"]())
    with_after = around(Host.method, guard, after=lambda *_: interrupt(), undo=lambda _: NAMESPACE["ours"]())
    with pytest.raises(KeyboardInterrupt):
        with_after(Host(), 1)
    assert not guard.enabled
    assert wrapped(Host(), 1) is not None


def test_a_patched_method_is_put_back() -> None:
    class Base:
        def method(self) -> str:
            return "base"

    class Derived(Base):
        pass

    patcher = Patcher()
    before = [dict(vars(owner)) for owner in (Base, Derived)]
    patcher.around((Base, Derived), "method", Guard("part"))
    patcher.around(Base, "absent", Guard("part"))
    assert patcher.live == ["Base.method", "Derived.method"]
    assert Derived().method() == "base"
    own = Base.method
    patcher.undo()
    assert [dict(vars(owner)) for owner in (Base, Derived)] == before
    patcher.around(Base, "method", Guard("part"))
    later = Base.method
    Base.method = lambda self: later(self) + "!"  # type: ignore[method-assign]
    patcher.undo()
    assert Base().method() == "base!", "what was wrapped again is left alone"
    assert own is not later
