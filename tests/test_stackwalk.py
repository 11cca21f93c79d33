"""The compiled walk of a stack gives what the one in Python gives, keeps nothing, and is loaded for ``trace`` alone."""

from __future__ import annotations

import gc
import importlib.util
import json
import sys
import threading
import tracemalloc
import types
from collections.abc import Callable
from types import CoroutineType, FrameType
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from poolwitness.ledger.stacks import RawStack
from poolwitness.observe import call_site as callers
from poolwitness.observe.call_site import capture_for, walk
from tests.support.programs import environment, run

COMPILED = "poolwitness.observe._stackwalk"
whole = capture_for(trace=True)

pytestmark = pytest.mark.matrix
compiled = pytest.mark.skipif(whole is walk, reason="built without a compiler or Python.h, or for Python 3.10")

Act = Callable[[], Any]


def both_of(frame: FrameType | None) -> RawStack:
    """What both say of a stack, which stands still meanwhile."""
    by_python, by_c = walk(frame), whole(frame)
    assert by_c == by_python
    assert all(mine is other for mine, other in zip(by_c[::2], by_python[::2], strict=True)), "codes can be equal"
    assert type(by_c) is tuple
    return by_c


def agreed() -> RawStack:
    """What both say of the caller's stack."""
    return both_of(sys._getframe(1))


# How a frame comes to stand on another one.


def called(act: Act) -> Any:
    return act()


def from_c(act: Act) -> Any:
    return next(map(lambda act: act(), [act]))  # noqa: C417 - it is about what calls it


def as_a_key(act: Act) -> Any:
    answers = []

    def key(_: object) -> int:
        answers.append(act())
        return 0

    sorted([None], key=key)
    return answers[0]


def in_a_generator(act: Act) -> Any:
    def inner() -> Any:
        yield act()

    def outer() -> Any:
        yield from inner()

    return next(outer())


def in_a_coroutine(act: Act) -> Any:
    async def inner() -> Any:
        return act()

    async def outer() -> Any:
        return await inner()

    try:
        outer().send(None)
    except StopIteration as over:
        return over.value


def in_an_async_generator(act: Act) -> Any:
    async def each() -> Any:
        yield act()

    async def outer() -> Any:
        async for answer in each():
            return answer

    try:
        outer().send(None)
    except StopIteration as over:
        return over.value


def in_a_class(act: Act) -> Any:
    class Body:
        answer = act()

    return Body.answer


def in_exec(act: Act) -> Any:
    names: dict[str, Any] = {"act": act}
    exec("\n\nanswer = [act() for _ in '1'][0]", names)
    return names["answer"]


def in_a_handler(act: Act) -> Any:
    try:
        raise KeyError
    except KeyError:
        return act()


def in_a_finalizer(act: Act) -> Any:
    answers = []

    class Dying:
        def __del__(self) -> None:
            answers.append(act())

    Dying()
    return answers[0]


def traced(act: Act) -> Any:
    def trace(_frame: FrameType, _event: str, _arg: Any) -> Any:
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return act()
    finally:
        sys.settrace(before)


WAYS = (
    called,
    from_c,
    as_a_key,
    in_a_generator,
    in_a_coroutine,
    in_an_async_generator,
    in_a_class,
    in_exec,
    in_a_handler,
    in_a_finalizer,
    traced,
)


@compiled
@pytest.mark.parametrize("way", WAYS)
def test_both_say_the_same(way: Callable[[Act], Any]) -> None:
    found = way(agreed)
    names = [getattr(code, "co_name", None) for code in found[::2]]
    assert way.__name__ in names[:4] and names.index("test_both_say_the_same") > names.index(way.__name__)


@compiled
@settings(max_examples=50, deadline=None)
@given(some.lists(some.sampled_from(WAYS), max_size=40))
def test_both_say_the_same_of_any_stack(ways: list[Callable[[Act], Any]]) -> None:
    def deeper(left: tuple[Callable[[Act], Any], ...]) -> Any:
        return left[0](lambda: deeper(left[1:])) if left else agreed()

    found = deeper(tuple(ways))
    assert sum(getattr(code, "co_name", None) == "deeper" for code in found[::2]) == len(ways) + 1


def in_a_thread(act: Act, stack_bytes: int = 0) -> Any:
    """What it gives in a thread of its own, whose stack starts there."""
    answers = []
    before = threading.stack_size(stack_bytes)
    try:
        thread = threading.Thread(target=lambda: answers.append(act()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return answers[0]


@compiled
@pytest.mark.parametrize("frames", [60, 127, 128, 129, 255, 256, 257, 511, 512, 513, 12_345])
def test_no_frame_is_lost_however_many(frames: int) -> None:
    """128 of them have room on the C stack; then it is the heap, for twice as many each time."""

    def deeper(left: int) -> RawStack:
        return deeper(left - 1) if left > 1 else agreed()

    def start() -> RawStack:
        return deeper(frames - len(walk(sys._getframe())) // 2)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(frames + 1000)
    try:
        found = in_a_thread(start, stack_bytes=128 << 10)
    finally:
        sys.setrecursionlimit(limit)
    assert len(found) == 2 * frames


@compiled
def test_the_first_frames_of_a_thread() -> None:
    frames: list[FrameType] = []
    in_a_thread(lambda: frames.append(sys._getframe()))
    while (outer := frames[-1].f_back) is not None:
        frames.append(outer)
    assert frames[-1].f_code.co_name == "_bootstrap"
    for count, frame in enumerate(reversed(frames), start=1):
        assert len(both_of(frame)) == 2 * count


@compiled
def test_frames_that_are_over_or_wait() -> None:
    def fail(left: int) -> None:
        if not left:
            raise KeyError
        fail(left - 1)

    found = []
    try:
        fail(5)
    except KeyError as error:
        trace = error.__traceback__
        while trace is not None:
            found.append(trace.tb_frame)
            trace = trace.tb_next
    assert [frame.f_code.co_name for frame in found[1:]] == ["fail"] * 6

    def numbers() -> Any:
        yield from range(3)

    @types.coroutine
    def pause() -> Any:
        yield

    async def waits() -> None:
        await pause()

    generator, coroutine = numbers(), cast("CoroutineType[Any, Any, None]", waits())
    begun, awaited = generator.gi_frame, coroutine.cr_frame
    for frame in (*found, begun, awaited):
        assert both_of(frame)[0] is frame.f_code
    next(generator)
    coroutine.send(None)
    for frame in (begun, awaited):
        assert len(both_of(frame)) == 2, "nothing calls it now"
    coroutine.close()


@compiled
def test_another_threads_frames() -> None:
    ready, over = threading.Event(), threading.Event()

    def stand() -> None:
        ready.set()
        over.wait()

    thread = threading.Thread(target=stand)
    thread.start()
    try:
        ready.wait()
        assert thread.ident is not None
        # It may still be on its way to where it stands.
        before: RawStack = ()
        while (found := walk(frame := sys._current_frames()[thread.ident])) != before:
            before = found
        assert stand.__code__ in both_of(frame)
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("by", [walk, pytest.param(whole, marks=compiled, id="whole")])
def test_what_is_no_frame(by: Callable[[Any], RawStack]) -> None:
    assert by(None) == ()
    for wrong in (3, "frame", object(), FrameType, by):
        with pytest.raises((TypeError, AttributeError)):
            by(wrong)


@compiled
def test_nothing_is_kept() -> None:
    def numbers() -> Any:
        yield 1

    waiting = numbers().gi_frame

    def deeper(left: int, times: int) -> None:
        if left:
            deeper(left - 1, times)
            return
        for _ in range(times):
            whole(waiting)
            whole(sys._getframe())
            try:
                whole(times)  # type: ignore[arg-type]
            except TypeError:
                pass

    def in_use() -> int:
        # What was allocated from here: in a long run of tests there are threads that allocate as well.
        gc.collect()
        here = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__)])
        return sum(each.size for each in here.statistics("filename"))

    def grown(times: int) -> int:
        before = in_use()
        deeper(10, times)
        deeper(300, times // 100)  # more than has room on the C stack
        return in_use() - before

    def kept() -> list[int]:
        return [sys.getrefcount(each) for each in (waiting, waiting.f_code, deeper.__code__)]

    deeper(300, 10)
    before = kept()
    tracemalloc.start()
    try:
        grown(100)
        assert grown(10_000) < 5_000
    finally:
        tracemalloc.stop()
    assert kept() == before


WITHOUT_MEMORY = """
    import gc
    import sys
    import _testcapi
    from poolwitness.observe._stackwalk import whole

    def attempt(nth, frame):
        _testcapi.set_nomemory(nth, nth + 1)
        try:
            return whole(frame)
        except MemoryError:
            return None
        finally:
            _testcapi.remove_mem_hooks()

    # Long, so that its instructions have numbers that Python does not keep at hand. And called each time anew: the walk
    # has the frames made of which nobody has asked for.
    long = "        left += 0\\n" * 300
    exec(f"def deeper(left, nth):\\n    if left < 0:\\n{long}    return deeper(left - 1, nth) if left else attempt(nth, sys._getframe())")

    def fail(depth):
        failed = 0
        for nth in range(4 * depth):
            found = deeper(depth, nth)
            if found is None:
                failed += 1
            else:
                assert found.count(deeper.__code__) == depth + 1, (nth, found.count(deeper.__code__))
        gc.collect()
        return failed

    def in_use():
        return sys.getrefcount(deeper.__code__), sys.getallocatedblocks()

    for depth in (10, 200):
        fail(depth)
        before = in_use()
        failed = fail(depth)
        after = in_use()
        assert depth < failed < 4 * depth, failed
        assert after[0] == before[0] and after[1] - before[1] < 20, (before, after)
    print("survived")
"""


@compiled
@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="this Python has no _testcapi")
def test_every_allocation_may_fail() -> None:
    ran = run(WITHOUT_MEMORY, environment())
    assert (ran.stdout, ran.status) == (b"survived\n", 0), ran.stderr.decode()


ELSEWHERE = """
    import sys

    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
    else:
        import _xxsubinterpreters as interpreters

    code = '''if True:
        import sys
        from poolwitness.observe import call_site as callers

        def agree():
            frame = sys._getframe(1)
            by = callers.capture_for(True)
            assert by is not callers.walk
            assert by(frame) == callers.walk(frame) != ()

        agree()
        print("agreed", flush=True)
    '''
    for _ in range(3):
        other = interpreters.create()
        trouble = interpreters.run_string(other, code)
        assert trouble is None, trouble
        interpreters.destroy(other)
"""


@compiled
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there all interpreters of a process share one lock")
def test_it_loads_in_an_interpreter_with_a_lock_of_its_own() -> None:
    ran = run(ELSEWHERE, environment())
    assert (ran.stdout, ran.stderr, ran.status) == (b"agreed\n" * 3, b"", 0)


def test_without_it_the_level_goes_on_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, COMPILED, None)
    assert capture_for(trace=True) is walk
    assert capture_for(trace=False) is callers.nearest


OURS = """
    import json, os, sys
    import psycopg_pool

    with psycopg_pool.ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
        with pool.connection() as conn:
            conn.execute("select 1")
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "poolwitness"}
    assert "poolwitness.observe.checkouts" in ours
    print(json.dumps([name for name, module in ours.items() if not module.__file__.endswith(".py")]))
"""


@pytest.mark.per_python
@pytest.mark.parametrize("level", ["exit", "watch", "trace"])
def test_compiled_code_is_loaded_for_trace_alone(level: str, dsn: str) -> None:
    ran = run(OURS, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_LEVEL=level))
    assert (ran.status, ran.verdict) == (0, "clean"), ran.stderr.decode()
    assert json.loads(ran.stdout) == ([COMPILED] if level == "trace" and whole is not walk else [])
