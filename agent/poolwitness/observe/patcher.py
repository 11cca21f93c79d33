"""Replace methods on the host's classes and put them back; `around` is the one place that calls the host.

Only getconn, putconn, the constructors and ``__del__`` are wrapped by hand, each where it says why.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from poolwitness.guards import Guard

_ABSENT = object()
AnyFunction = Callable[..., Any]

# Runs before the host's call: gets the object, the caller's innermost frame, and the call's arguments; what it
# returns is passed to the other two.
Before = Callable[[Any, FrameType | None, tuple[Any, ...], dict[str, Any]], Any]
# Runs after it: gets the object, the caller's innermost frame, what `Before` returned, and the result.
After = Callable[[Any, FrameType | None, Any, Any], object]
# Runs after a call that raised: the same, with the exception.
Failed = Callable[[Any, FrameType | None, Any, BaseException], object]


def around(
    original: AnyFunction,
    guard: Guard,
    before: Before | None = None,
    after: After | None = None,
    failed: Failed | None = None,
    undo: Callable[[Any], object] | None = None,
) -> AnyFunction:
    """A function that calls *original* exactly once, outside containment, with lines of ours before and after it.

    Args:
        original: a method, sync or async.
        guard: contains what our lines raise; when it is disabled they do not run.
        before: runs before the call; not if the call has no ``self``, and will fail.
        after: runs after a call that returned.
        failed: runs after a call that raised, which it cannot change.
        undo: releases the result of the call if an exception of the program's lands in *after*, and the result is lost.

    Returns:
        A coroutine function if *original* is one.
    """
    if original.__code__.co_flags & inspect.CO_COROUTINE:
        return _around_async(original, guard, before, after, failed, undo)
    return _around_sync(original, guard, before, after, failed, undo)


def _around_sync(
    original: AnyFunction,
    guard: Guard,
    before: Before | None,
    after: After | None,
    failed: Failed | None,
    undo: Callable[[Any], object] | None,
) -> AnyFunction:
    getframe = sys._getframe

    def call(*args: Any, **kwargs: Any) -> Any:
        owner = args[0] if args else kwargs.get("self")
        token = None
        if before is not None and guard.enabled and owner is not None:
            try:
                with guard:
                    token = before(owner, getframe().f_back, args, kwargs)
            except RecursionError:  # the stack is full: not even the guard has room on it
                pass
        result = _ABSENT
        try:
            result = original(*args, **kwargs)
            if after is not None and guard.enabled:
                with guard:
                    after(owner, getframe().f_back, token, result)
            return result
        except BaseException as error:
            # Beside the call's own exceptions: one of the program's that landed in the lines after it.
            if result is not _ABSENT:
                if type(error) is RecursionError:
                    return result
                if undo is not None:
                    with guard:
                        undo(result)
            elif failed is not None and guard.enabled and owner is not None:
                try:
                    with guard:
                        failed(owner, getframe().f_back, token, error)
                except RecursionError:
                    pass
            raise

    return call


def _around_async(
    original: AnyFunction,
    guard: Guard,
    before: Before | None,
    after: After | None,
    failed: Failed | None,
    undo: Callable[[Any], object] | None,
) -> AnyFunction:
    getframe = sys._getframe

    async def call(*args: Any, **kwargs: Any) -> Any:
        owner = args[0] if args else kwargs.get("self")
        token = None
        if before is not None and guard.enabled and owner is not None:
            try:
                with guard:
                    token = before(owner, getframe().f_back, args, kwargs)
            except RecursionError:  # the stack is full: not even the guard has room on it
                pass
        result = _ABSENT
        try:
            result = await original(*args, **kwargs)
            if after is not None and guard.enabled:
                with guard:
                    after(owner, getframe().f_back, token, result)
            return result
        except BaseException as error:
            # Beside the call's own exceptions: one of the program's that landed in the lines after it.
            if result is not _ABSENT:
                if type(error) is RecursionError:
                    return result
                if undo is not None:
                    with guard:
                        undo(result)
            elif failed is not None and guard.enabled and owner is not None:
                try:
                    with guard:
                        failed(owner, getframe().f_back, token, error)
                except RecursionError:
                    pass
            raise

    return call


class Patcher:
    """The methods that were replaced, newest last."""

    def __init__(self) -> None:
        self._undo: list[tuple[type, str, Any, Any]] = []

    @property
    def live(self) -> list[str]:
        """``Class.method`` of each."""
        return [f"{owner.__name__}.{name}" for owner, name, _, _ in self._undo]

    def around(
        self,
        owners: type | Iterable[type],
        name: str,
        guard: Guard,
        before: Before | None = None,
        after: After | None = None,
        failed: Failed | None = None,
        undo: Callable[[Any], object] | None = None,
    ) -> None:
        """Replace a method of one or several classes by one that runs our lines `around` it; arguments as there.

        Args:
            owners: the classes; one that has no such method is left alone.
            name: the method's.
        """
        for owner in [owners] if isinstance(owners, type) else owners:
            self.wrap(owner, name, lambda original: around(original, guard, before, after, failed, undo))

    def wrap(self, owner: type, name: str, make: Callable[[AnyFunction], AnyFunction]) -> None:
        """Replace ``owner.name`` by ``make(original)``; what can be asked about the function stays the same.

        Args:
            owner: the class to patch; an inherited method is wrapped on *owner* itself.
            name: an attribute that is a function, a static or a class method.
            make: gets the plain function and returns the plain function to put in its place.
        """
        own = owner.__dict__.get(name, _ABSENT)
        raw = own
        if raw is _ABSENT:
            for base in owner.__mro__[1:]:
                if name in base.__dict__:
                    raw = base.__dict__[name]
                    break
            else:
                return
        kind = type(raw) if isinstance(raw, (classmethod, staticmethod)) else None
        function = raw.__func__ if kind is not None else raw
        wrapper = look_alike(make(function), function)
        replacement = kind(wrapper) if kind is not None else wrapper
        # Known before it is in place: an exception of the program's may land between the two lines.
        self._undo.append((owner, name, own, replacement))
        setattr(owner, name, replacement)

    def undo(self) -> None:
        """Put back every method that is still ours; one that was wrapped again since is left as it is."""
        while self._undo:
            owner, name, own, replacement = self._undo[-1]
            if owner.__dict__.get(name) is replacement:
                if own is _ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, own)
            self._undo.pop()


def look_alike(wrapper: Any, original: Any) -> AnyFunction:
    """Give a wrapper the name, documentation, signature and defaults of the original, and return it."""
    functools.update_wrapper(wrapper, original)
    if not wrapper.__code__.co_argcount:
        # It takes *args and **kwargs: Python itself does not read these, callers that ask about a function do.
        wrapper.__defaults__ = original.__defaults__
        wrapper.__kwdefaults__ = original.__kwdefaults__
        wrapper.__signature__ = inspect.signature(original)
    function: AnyFunction = wrapper
    return function
