"""Contain the exceptions that the agent's own lines raise, and only those.

A guard stands at each entry from the program's code into the agent's. An exception that the agent caused disables the
component that the guard belongs to; the program does not see it. An exception that belongs to the program passes
through and disables nothing. `is_ours` decides. These cases cannot be distinguished, or are decided by convention:

- An exception set from outside (``PyThreadState_SetAsyncExc``, a signal handler written in C) on a line of ours is
  contained if its class is builtin or one of the standard library's: it looks like a fault of that line. The same
  exception of a class of the program's own passes.
- An exception set from outside while a line of ours is inside an object of the program's (a property, a ``__repr__``,
  an import hook, a log handler) is contained, as what that object raises is.
- A module of the program that has the name of a standard module is taken for that module.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any

# Packages that the agent calls on purpose: what fails inside them, below a frame of ours, is ours to contain.
_CALLED_BY_US = frozenset(
    {"builtins", "poolwitness", "psutil", "structlog", "psycopg", "psycopg_pool", "psycopg_c", "psycopg_binary"}
)
# Where these have patched the standard library, a line of ours that waits switches to another greenlet, and what that
# throws arrives at the switch.
_GREENLETS = frozenset({"gevent", "eventlet", "greenlet"})
_CO_VARARGS = 4  # of `inspect`, which takes long to import


class Guard:
    """One component of the agent that can fail alone, and the context manager around its lines.

    Args:
        name: as ``poolwitness.part`` gives it.
        on_failure: called once, with the guard, when its component has failed.
    """

    __slots__ = ("enabled", "failure", "name", "on_failure")

    def __init__(self, name: str, on_failure: Callable[[Guard], None] | None = None) -> None:
        self.name = name
        self.enabled = True
        self.failure: str | None = None
        self.on_failure = on_failure

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return error is not None and self.contains(error)

    def contains(self, error: BaseException) -> bool:
        """Whether an exception that was just caught is the agent's own; then the component is disabled."""
        if not is_ours(error):
            return False
        # The program may have reached its own recursion or memory limit, which is no fault of this component.
        if self.enabled and not isinstance(error, (RecursionError, MemoryError)):
            self.enabled = False
            # The text of the exception is not kept: it may hold secrets.
            self.failure = f"{type(error).__name__}{_where(error.__traceback__)}"
            if self.on_failure is not None:
                try:
                    self.on_failure(self)
                except Exception as second:
                    if not is_ours(second):
                        raise
        return True


class Guards:
    """The guards of one agent, one for each component.

    Args:
        on_failure: called with each guard whose component has failed.
    """

    pools: Guard
    checkouts: Guard
    connects: Guard
    crossings: Guard
    adapters: Guard
    activity: Guard
    workers: Guard
    finalizers: Guard
    lifecycle: Guard
    checks: Guard
    sweeper: Guard
    ending: Guard
    threads: Guard
    owners: Guard
    asked: Guard
    blackbox: Guard
    telemetry: Guard
    exit: Guard
    report: Guard

    def __init__(self, on_failure: Callable[[Guard], None] | None = None) -> None:
        self._all = [Guard(name, on_failure) for name in Guards.__annotations__]
        for guard in self._all:
            setattr(self, guard.name, guard)

    def __iter__(self) -> Iterator[Guard]:
        return iter(self._all)

    def disable_all(self) -> None:
        """Observe nothing from here on."""
        for guard in self:
            guard.enabled = False


def is_ours(error: BaseException) -> bool:
    """Whether an exception that was caught in the agent's lines was caused by them.

    Three kinds belong to the program: a `BaseException` that is no `Exception`; what passed through a function that the
    interpreter called on its own (see `is_from_signal_handler`); and what no code raised that the agent called. The
    last is an exception whose class is none of the interpreter's, the agent's or its libraries', with no frame of the
    program's at its end: it was set from outside, by another thread or by a greenlet's timeout.

    Args:
        error: as caught, with its traceback.
    """
    if not isinstance(error, Exception) or is_from_signal_handler(error):
        return False
    package = ""
    traceback = error.__traceback__
    while traceback is not None:
        package = str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0]
        traceback = traceback.tb_next
    raised = str(type(error).__module__).partition(".")[0]
    if package in _GREENLETS:
        return raised in _GREENLETS
    if raised in _CALLED_BY_US or raised in sys.stdlib_module_names:
        return True
    # An object of the program's that the agent has called, such as a property, may raise anything.
    return package not in _CALLED_BY_US and package not in sys.stdlib_module_names


def is_from_signal_handler(error: BaseException) -> bool:
    """Whether an exception passed through a function of the program's that the interpreter called between two lines.

    That is a signal handler, a trace or profile function, or a callback of `sys.monitoring`: each gets the frame that
    it interrupts, or its code, which no other call passes on. Alone it is the test where the agent calls the program's
    own objects (a ``repr``, a mapping, a log handler): whatever they raise is contained, except this.
    """
    traceback = error.__traceback__
    interrupted: FrameType | None = None
    while traceback is not None:
        frame = traceback.tb_frame
        if interrupted is not None and str(frame.f_globals.get("__name__")).partition(".")[0] != "poolwitness":
            code = frame.f_code
            count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & _CO_VARARGS)
            for name in code.co_varnames[:count]:
                value = frame.f_locals.get(name)
                for each in value if type(value) is tuple else (value,):
                    if each is interrupted or each is interrupted.f_code:
                        return True
            # A handler may have used its arguments' names for something else.
            if code in _handlers():
                return True
        interrupted = frame
        traceback = traceback.tb_next
    return False


def let_pass(error: BaseException) -> None:
    """Raise an exception again if it is from a signal handler: the first line of an ``except`` of the agent's own."""
    if is_from_signal_handler(error):
        raise error


def _handlers() -> set[CodeType]:
    codes = set()
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        handler = getattr(handler, "func", handler)
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if isinstance(code, CodeType):
            codes.add(code)
    return codes


def _where(traceback: TracebackType | None) -> str:
    where = ""
    while traceback is not None:
        where = f" at {traceback.tb_frame.f_code.co_name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return where
