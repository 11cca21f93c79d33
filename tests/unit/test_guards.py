"""Guards contain what the agent's own lines raise, and let the program's exceptions pass."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from poolwitness.guards import Guard, Guards, is_from_signal_handler, is_ours, let_pass

OURS = "poolwitness.observe.pools"


class Limit(Exception):
    """A class of the program's."""


def function(module: str, body: str, **names: Any) -> Callable[..., Any]:
    """A function of a module of any name."""
    namespace = {"__name__": module, "Limit": Limit, **names}
    exec("def function(*args):\n    " + body.replace("\n", "\n    "), namespace)
    found: Callable[..., Any] = namespace["function"]
    return found


def chain(*modules: str, raises: str = "ValueError()") -> BaseException:
    """What is caught in the first module, after each has called the next and the last one raised."""
    call = function(modules[-1], f"raise {raises}")
    for module in reversed(modules[:-1]):
        call = function(module, "return inner(*args)", inner=call)
    try:
        call()
    except BaseException as error:  # noqa: BLE001
        # Without this function's own frame: the guard is in the first one.
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    raise AssertionError


@pytest.mark.parametrize(
    "modules",
    [
        (OURS,),
        (OURS, "poolwitness.ledger.ledger"),
        (OURS, "json.encoder"),
        (OURS, "psutil._pslinux"),
        (OURS, "structlog._config"),
        (OURS, "psycopg.conninfo"),
        (OURS, "__main__"),  # a property or a __repr__ of the program's
        (OURS, "shop.models", "psycopg.rows"),
        (OURS, "opentelemetry.sdk._logs"),
    ],
)
def test_what_our_lines_and_what_they_call_raise_is_ours(modules: tuple[str, ...]) -> None:
    assert is_ours(chain(*modules))


@pytest.mark.parametrize("modules", [(OURS,), (OURS, "poolwitness.report.build"), (OURS, "threading")])
def test_a_class_of_the_programs_that_no_code_of_the_programs_raised_was_set_from_outside(
    modules: tuple[str, ...],
) -> None:
    assert not is_ours(chain(*modules, raises="Limit()"))
    assert is_ours(chain(*modules, "shop.models", raises="Limit()")), "its own object, which we called"


@pytest.mark.parametrize("raises", ["KeyboardInterrupt()", "SystemExit()", "GeneratorExit()"])
def test_what_is_no_exception_is_never_ours(raises: str) -> None:
    assert not is_ours(chain(OURS, raises=raises))


@pytest.mark.parametrize("package", ["gevent.hub", "eventlet.hubs.hub", "greenlet"])
def test_what_is_thrown_at_a_switch_of_greenlets_is_the_programs(package: str) -> None:
    assert not is_ours(chain(OURS, "threading", package))
    assert not is_ours(chain(OURS, package, raises="Limit()"))


HANDLERS = {
    "plain": "def handler(number, frame):\n    raise Error",
    "of any arguments": "def handler(*args):\n    raise Error",
    "keywords": "def handler(number=0, frame=None):\n    raise Error",
    "calls others": "def handler(number, frame):\n    fail()\ndef fail():\n    raise Error",
    "partial": "import functools\ndef inner(what, number, frame):\n    raise Error\nhandler = functools.partial(inner, 1)",
    "method": "class Limit:\n    def stop(self, number, frame):\n        raise Error\nhandler = Limit().stop",
    "object": "class Limit:\n    def __call__(self, number, frame):\n        raise Error\nhandler = Limit()",
    "lambda": "handler = lambda *_: (_ for _ in ()).throw(Error())",
    "closure": "def make():\n    def handler(number, frame):\n        print_ = lambda: frame\n        raise Error\n"
    "    return handler\nhandler = make()",
    "forgets its arguments": "def handler(number, frame):\n    number = frame = None\n    raise Error",
    "resets itself": "import signal\ndef handler(number, frame):\n    signal.signal(number, signal.SIG_DFL)\n    raise Error",
    "mock": "from unittest.mock import Mock\nhandler = Mock(side_effect=Error)",
}


@pytest.fixture
def restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("error_class", [ValueError, TimeoutError, Limit])
@pytest.mark.parametrize("lands_in", [OURS, "json.encoder", "shop.models"])
@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_an_exception_of_a_signal_handler_is_the_programs(
    handler: str, lands_in: str, error_class: type[Exception]
) -> None:
    namespace: dict[str, Any] = {"__name__": "shop.limits", "Error": error_class}
    exec(handler, namespace)
    signal.signal(signal.SIGUSR1, namespace["handler"])
    interrupted = function(lands_in, "signal.raise_signal(signal.SIGUSR1)\nreturn 1", signal=signal)
    guard = Guard("part")
    body = "with guard:\n    inner()"
    with pytest.raises(error_class):
        function(OURS, body, guard=guard, inner=interrupted)()
    assert guard.enabled


def test_a_handler_that_uses_the_agent_in_turn_is_still_the_programs() -> None:
    raising = function("psycopg_pool.pool", "raise RuntimeError")
    nested = function(OURS, "return inner()", inner=raising)
    handler = function("__main__", "inner()", inner=nested)
    outer = function(OURS, "import sys\nreturn inner(15, sys._getframe())", inner=handler)
    with pytest.raises(RuntimeError) as caught:
        outer()
    assert is_from_signal_handler(caught.value)
    assert not is_ours(caught.value)


@pytest.mark.parametrize("install", [sys.settrace, sys.setprofile], ids=["trace", "profile"])
def test_an_exception_of_a_trace_function_is_the_programs(install: Callable[[Any], None]) -> None:
    guard = Guard("part")
    stepped = function(OURS, "return len(())")

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code is stepped.__code__ and event in ("line", "c_call"):
            raise ValueError
        return trace

    before = sys.gettrace()
    try:
        with pytest.raises(ValueError, match=r"^$"):  # noqa: PT012
            install(trace)
            with guard:
                stepped()
    finally:
        sys.setprofile(None)
        sys.settrace(before)
    assert guard.enabled


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_an_exception_of_a_monitoring_callback_is_the_programs() -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    guard = Guard("part")
    stepped = function(OURS, "return len(())")

    def raising(code: Any, line: int) -> None:
        raise ValueError

    monitoring.use_tool_id(3, "test")
    try:
        monitoring.register_callback(3, monitoring.events.LINE, raising)
        monitoring.set_local_events(3, stepped.__code__, monitoring.events.LINE)
        with pytest.raises(ValueError, match=r"^$"), guard:
            stepped()
    finally:
        monitoring.free_tool_id(3)
    assert guard.enabled


def test_an_exception_that_another_thread_sets_is_the_programs() -> None:
    guard = Guard("part")
    ready = threading.Event()
    caught: list[BaseException] = []
    spin = function(OURS, "ready.set()\nwhile True:\n    pass", ready=ready)

    def run() -> None:
        try:
            with guard:
                spin()
        except Limit as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Limit))
    thread.join(10)
    assert [type(error) for error in caught] == [Limit]
    assert guard.enabled


def test_a_fault_disables_its_guard_and_is_reported_once() -> None:
    failed: list[str] = []
    guards = Guards(lambda guard: failed.append(guard.name))
    for _ in range(2):
        with guards.pools:
            function(OURS, "raise ValueError('hunter2')")()
    assert failed == ["pools"]
    assert guards.pools.failure == "ValueError at function:2"
    assert [guard.name for guard in guards if not guard.enabled] == ["pools"]


@pytest.mark.parametrize("error_class", ["RecursionError", "MemoryError"])
def test_the_programs_own_limits_disable_nothing(error_class: str) -> None:
    guard = Guard("part")
    with guard:
        function(OURS, f"raise {error_class}")()
    assert guard.enabled


def test_a_report_that_fails_is_contained_too() -> None:
    guard = Guard("part", function(OURS, "raise ValueError"))
    with guard:
        function(OURS, "raise ValueError")()
    assert not guard.enabled
    guard = Guard("part", function(OURS, "raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt), guard:
        function(OURS, "raise ValueError")()


def test_let_pass() -> None:
    let_pass(chain(OURS, raises="OSError()"))
    handler = function("__main__", "raise TimeoutError")
    outer = function(OURS, "import sys\ninner(15, sys._getframe())", inner=handler)
    body = "try:\n    inner()\nexcept OSError as error:\n    let_pass(error)"
    with pytest.raises(TimeoutError):
        function(OURS, body, inner=outer, let_pass=let_pass)()
