"""Contain the exceptions that the agent's own lines raise, and only those.

A guard stands at each entry from the program's code into the agent's. An exception that is the agent's disables the
component that the guard belongs to; the program does not see it. An exception that belongs to the program (raised by
its signal handler, its trace function, another thread, a greenlet's timeout) passes through and disables nothing.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import CodeType, TracebackType
from typing import Any

# Packages that the agent calls on purpose: what fails inside them, below a frame of ours, is ours to contain.
_CALLED_BY_US = frozenset(
    {"poolwitness", "psutil", "structlog", "psycopg", "psycopg_pool", "psycopg_c", "psycopg_binary"}
)
# A debugger raises from its trace function, whatever line it is at.
_DEBUGGERS = frozenset({"bdb", "pdb"})


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
        # The program's own recursion or memory may be at its end: that says nothing about this component.
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

    It is the program's if, below the innermost frame of the agent, a frame is neither the agent's nor that of a library
    that it calls on purpose: a signal handler or a trace function. It is also the program's if no frame lies below the
    agent's and the exception's class is not one that the agent, the interpreter or those libraries raise: it was then
    set from outside, by another thread or by a greenlet's timeout. A builtin exception that was set from outside cannot
    be told from our own.

    Args:
        error: as caught, with its traceback.
    """
    if not isinstance(error, Exception):
        return False
    below_ours = False
    foreign = False
    traceback = error.__traceback__
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__")
        package = module.partition(".")[0] if isinstance(module, str) else ""
        if package == "poolwitness":
            below_ours = foreign = False
        else:
            below_ours = True
            foreign = foreign or not _is_called_by_us(package)
        traceback = traceback.tb_next
    if below_ours:
        return not foreign
    return _is_called_by_us(str(type(error).__module__).partition(".")[0])


def is_from_signal_handler(error: BaseException) -> bool:
    """Whether an exception passed through a signal handler that the program has set.

    For the places where the agent calls the program's own objects (a ``repr``, a property), which may raise anything:
    all of it is contained there, except this.
    """
    codes: set[CodeType] | None = None
    traceback = error.__traceback__
    while traceback is not None:
        if codes is None:
            codes = _handlers()
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def _is_called_by_us(package: str) -> bool:
    if package in _CALLED_BY_US or package == "builtins":
        return True
    return package in sys.stdlib_module_names and package not in _DEBUGGERS


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
