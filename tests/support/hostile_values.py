"""Hypothesis strategies for values that an application can hand to anything that prints them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from hypothesis import settings
from hypothesis import strategies as st

# A machine that is shared takes its time; what is made here is large. More examples for a search of an hour.
UNHURRIED = settings(deadline=None, max_examples=int(os.environ.get("POOLWITNESS_TEST_EXAMPLES", "60")))


def _refuse(*_: object) -> NoReturn:
    raise RuntimeError("hunter2")


class RefusingText(str):
    """A str of which every overridable answer raises."""

    __str__ = __repr__ = __len__ = __getitem__ = __contains__ = __eq__ = __ne__ = __iter__ = __format__ = _refuse
    __hash__ = _refuse


class RefusingInt(int):
    """An int that cannot be converted, compared or shown."""

    __str__ = __repr__ = __int__ = __index__ = __float__ = __eq__ = __lt__ = __le__ = __ge__ = __gt__ = __neg__ = (
        _refuse
    )
    __hash__ = _refuse


class RefusingFloat(float):
    """The same of a float."""

    __str__ = __repr__ = __int__ = __float__ = __eq__ = __lt__ = __le__ = __ge__ = __gt__ = _refuse
    __hash__ = _refuse


class RefusingDict(dict[Any, Any]):
    """A mapping that lets nobody look into it."""

    items = keys = values = __iter__ = __len__ = __getitem__ = __contains__ = _refuse


class RefusingObject:
    """An object that answers nothing."""

    __str__ = __repr__ = __getattr__ = __bool__ = _refuse


class RefusingClass(RefusingObject):
    """An object that does not even say of which class it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("hunter2")

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError("hunter2")


# A class may be named anything.
Misnamed = type("Mis\n\x1bmed\u2028", (), {})

any_text = st.text(st.characters(codec=None, exclude_categories=()))
# Made from their names, since hypothesis shows what it chooses from.
_REFUSING: dict[str, Callable[[], Any]] = {
    "text": lambda: RefusingText("hunter2"),
    "int": lambda: RefusingInt(2),
    "float": lambda: RefusingFloat(2.5),
    "dict": lambda: RefusingDict(a=1),
    "object": RefusingObject,
    "misnamed": Misnamed,
}
refusing = st.sampled_from(sorted(_REFUSING)).map(lambda kind: _REFUSING[kind]())
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text, st.binary(), st.complex_numbers(), refusing
)
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(any_text, st.integers(), st.none(), st.binary()), inner, max_size=6),
    ),
    max_leaves=20,
)
long_text = st.builds(lambda part, times: part * times, any_text.filter(bool), st.integers(1, 3000))
# What a pipeline is given: str keys, and values that may be anything.
events = st.dictionaries(
    st.one_of(any_text, st.sampled_from(["message", "code.stacktrace"])), st.one_of(nested, long_text), max_size=30
)
