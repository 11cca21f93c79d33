"""Records as JSON and back: by their fields, a stack as its number, what has its default left out.

Reading trusts nothing: a value of another type, or one that no writer would write, is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from poolwitness.blackbox.errors import Refused
from poolwitness.model.records import Stack

T = TypeVar("T")

LARGEST = 2**53
LONGEST_TEXT = 400


def dump(record: Any, number_of: Callable[[Stack], int]) -> bytes:
    """A record as JSON.

    Args:
        record: a named tuple of fields that are records, stacks, tuples, dicts or plain values.
        number_of: gives the number of a stack.
    """
    return json.dumps(_plain(record, number_of), separators=(",", ":")).encode("ascii")


def load(kind: type[T], data: bytes, stack_of: Callable[[int], Stack]) -> T:
    """The record that some JSON is; fields that this release does not know are passed over.

    Args:
        kind: the record's class.
        data: what `dump` gave.
        stack_of: gives the stack of a number.

    Raises:
        Refused: it is not what `dump` gives for this class.
    """
    try:
        plain = json.loads(data, parse_constant=_no_number)
        found: T = _value(kind, plain, stack_of)
        return found
    except Refused:
        raise
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Refused(f"one of its records is not a {kind.__name__}") from error


def _plain(value: Any, number_of: Callable[[Stack], int]) -> Any:
    if isinstance(value, Stack):
        return number_of(value)
    if hasattr(value, "_asdict"):
        defaults = value._field_defaults
        return {
            name: _plain(item, number_of)
            for name, item in value._asdict().items()
            if name not in defaults or item != defaults[name]
        }
    if isinstance(value, (tuple, list)):
        return [_plain(item, number_of) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, number_of) for key, item in value.items()}
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, float):
        return value if math.isfinite(value) and abs(value) < LARGEST else 0.0
    if isinstance(value, int) and abs(value) > LARGEST:
        return LARGEST
    return value


def _value(kind: Any, plain: Any, stack_of: Callable[[int], Stack]) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        wanted = [argument for argument in arguments if argument is not NoneType]
        return None if plain is None and len(wanted) < len(arguments) else _value(wanted[0], plain, stack_of)
    if kind is Stack:
        return stack_of(_value(int, plain, stack_of))
    if hasattr(kind, "_asdict"):
        return _record(kind, plain, stack_of)
    if origin is tuple and isinstance(plain, list):
        if arguments[-1] is Ellipsis:
            return tuple(_value(arguments[0], item, stack_of) for item in plain)
        return tuple(_value(argument, item, stack_of) for argument, item in zip(arguments, plain, strict=True))
    if origin is dict and isinstance(plain, dict):
        return {key: _value(arguments[1], item, stack_of) for key, item in plain.items()}
    if kind is float and type(plain) is int:
        plain = float(plain)
    if type(plain) is not kind or not _is_sane(plain):
        raise TypeError(f"{plain!r:.40} is not {kind}")
    return plain


def _is_sane(plain: Any) -> bool:
    if isinstance(plain, str):
        return len(plain) <= LONGEST_TEXT
    return not isinstance(plain, (int, float)) or -LARGEST <= plain <= LARGEST  # which NaN and infinities are not


def _record(kind: Any, plain: Any, stack_of: Callable[[int], Stack]) -> Any:
    if not isinstance(plain, dict):
        raise TypeError(f"{plain!r:.40} is not a {kind}")
    return kind(**{name: _value(hint, plain[name], stack_of) for name, hint in _hints(kind).items() if name in plain})


@lru_cache(maxsize=32)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _no_number(constant: str) -> Any:
    raise ValueError(constant)
