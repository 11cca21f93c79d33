"""Replace methods on classes, and put them back: each patch knows what it replaced."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_ABSENT = object()
AnyFunction = Callable[..., Any]


class Patcher:
    """The methods that were replaced, newest last."""

    def __init__(self) -> None:
        self._undo: list[tuple[type, str, Any, Any]] = []

    @property
    def live(self) -> list[str]:
        """``Class.method`` of each, for the started event."""
        return [f"{owner.__name__}.{name}" for owner, name, _, _ in self._undo]

    def wrap(self, owner: type, name: str, make: Callable[[AnyFunction], AnyFunction]) -> None:
        """Replace ``owner.name`` by ``make(original)``, keeping its name, doc and signature.

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
        wrapper = functools.wraps(function)(make(function))
        replacement = kind(wrapper) if kind is not None else wrapper
        setattr(owner, name, replacement)
        self._undo.append((owner, name, own, replacement))

    def undo(self) -> None:
        """Put everything back that is still ours; a method somebody else wrapped since is left as it is."""
        while self._undo:
            owner, name, own, replacement = self._undo.pop()
            if owner.__dict__.get(name) is not replacement:
                continue
            if own is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
