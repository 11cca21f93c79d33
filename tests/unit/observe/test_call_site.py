"""A helper in which every connection is taken does not hide who called it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import CodeType, FrameType
from typing import Any

import pytest

from poolwitness.ledger.stacks import MAX_WRAPPER_FRAMES, MOST_FRAMES, RawStack, capture, resolve
from poolwitness.observe import call_site

Capture = Callable[[FrameType | None], RawStack]


def functions(raw: RawStack) -> list[str]:
    """The names of the functions in a raw stack."""
    return [code.co_name for code in raw if isinstance(code, CodeType)]


def take() -> RawStack:
    """Where a connection is taken."""
    return call_site.nearest(sys._getframe())


def test_a_direct_call_is_kept() -> None:
    assert functions(take()) == ["take", "test_a_direct_call_is_kept"]


def test_contextlib_is_stepped_over() -> None:
    @contextlib.contextmanager
    def connection() -> Iterator[RawStack]:
        yield call_site.nearest(sys._getframe())

    def handle() -> RawStack:
        with connection() as raw:
            return raw

    def handle_by_stack() -> RawStack:
        with contextlib.ExitStack() as stack:
            return stack.enter_context(connection())

    assert functions(handle()) == ["connection", "handle"]
    assert functions(handle_by_stack()) == ["connection", "handle_by_stack"]
    found = resolve(handle())
    assert found.origin is not None and found.caller is not None
    assert (found.origin.function, found.caller.function) == ("connection", "handle")


def test_what_is_far_off_is_not_looked_for() -> None:
    installed: dict[str, Any] = {}
    source = "def between(call, frames):\n    return between(call, frames - 1) if frames else call()\n"
    exec(compile(source, contextlib.__file__, "exec"), installed)  # as a framework's frames would be

    def handle(frames: int) -> RawStack:
        raw: RawStack = installed["between"](take, frames)
        return raw

    assert functions(handle(MAX_WRAPPER_FRAMES - 1)) == ["take", "handle"]
    assert functions(handle(MAX_WRAPPER_FRAMES)) == ["take", "between"]


def test_who_runs_the_loop_has_not_called_a_task() -> None:
    async def taken(capture: Capture) -> RawStack:
        return capture(sys._getframe())

    async def awaits(capture: Capture) -> RawStack:
        return await taken(capture)

    def step(coroutine: Coroutine[Any, Any, RawStack]) -> RawStack:
        # As a loop that is written in C does: the frame below is that of whoever started it.
        try:
            coroutine.send(None)
        except StopIteration as done:
            raw: RawStack = done.value
            return raw
        raise AssertionError("it has not ended")

    for captured in (call_site.nearest, capture):
        found = resolve(step(taken(captured)))
        assert found.origin is not None and (found.origin.function, found.caller) == ("taken", None)
        found = resolve(step(awaits(captured)))
        assert found.caller is not None and found.caller.function == "awaits"


@pytest.mark.parametrize("capture", [call_site.nearest, capture])
def test_nobody_has_called_a_threads_first_function(capture: Capture) -> None:
    def first() -> RawStack:
        return capture(sys._getframe())

    found: list[RawStack] = []
    thread = threading.Thread(target=lambda: found.append(first()))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as executor:
        found.append(executor.submit(first).result())
    assert [stack.caller.function if stack.caller else "" for stack in map(resolve, found)] == ["<lambda>", ""]
    if capture is call_site.nearest:
        assert functions(found[1]) == ["first"]


def test_without_a_caller_there_is_none() -> None:
    def outermost(frame: FrameType | None) -> FrameType:
        assert frame is not None
        return outermost(frame.f_back) if frame.f_back is not None else frame

    raw = call_site.nearest(outermost(sys._getframe()))
    assert len(raw) <= 2 and resolve(raw).caller is None


@pytest.mark.parametrize("frames", [1, MOST_FRAMES - 1, MOST_FRAMES, MOST_FRAMES + 1, 500])
def test_trace_keeps_the_innermost_frames(frames: int) -> None:
    def deeper(left: int) -> RawStack:
        return deeper(left - 1) if left > 1 else call_site.capture_for(trace=True)(sys._getframe())

    found: list[RawStack] = []
    # A thread has three frames of its own below the first one, and the lambda is another.
    thread = threading.Thread(target=lambda: found.append(deeper(frames)))
    thread.start()
    thread.join()
    kept = ["deeper"] * frames + ["<lambda>", "run", "_bootstrap_inner", "_bootstrap"]
    assert functions(found[0]) == kept[:MOST_FRAMES]
