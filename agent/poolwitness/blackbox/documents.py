"""The documents of a black box: records as JSON and back.

A record is written by its fields, a stack as its number; what has its default is left out. Reading trusts nothing: a
value of another type, or one that is never written, is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from poolwitness.model.records import PoolRecord, ProcessRecord, Stack

T = TypeVar("T")

LARGEST = 2**53
LONGEST_TEXT = 400


class Refused(Exception):
    """A file that is not read; the text gives the reason, for a sentence that begins with the file's name."""


class ProcessDocument(NamedTuple):
    """What is known of a process from the start, and the settings that rules depend on."""

    process: ProcessRecord
    agent: str
    held_limit_s: float
    ignore: tuple[str, ...] = ()


class PoolDocument(NamedTuple):
    """A pool without its connections, and when a request was last refused (monotonic; 0 for never)."""

    pool: PoolRecord
    refused_mono: float = 0.0


def dump(record: Any, number_of: Callable[[Stack], int]) -> bytes:
    """A record as JSON: a named tuple of records, stacks, tuples, dicts and plain values."""
    return json.dumps(_plain(record, number_of), separators=(",", ":")).encode("ascii")


def load(kind: type[T], data: bytes, stack_of: Callable[[int], Stack]) -> T:
    """The record that was dumped; fields that this release does not know are ignored.

    Raises:
        Refused: *data* is not what `dump` gives for this class.
    """
    try:
        found: T = _value(kind, json.loads(data, parse_constant=_refuse_constant), stack_of)
        return found
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
    if hasattr(kind, "_asdict") and isinstance(plain, dict):
        hints = _hints(kind).items()
        return kind(**{name: _value(hint, plain[name], stack_of) for name, hint in hints if name in plain})
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


@lru_cache(maxsize=32)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _refuse_constant(constant: str) -> Any:
    raise ValueError(constant)
