"""Capture a stack cheaply now; file, line and name later.

A raw stack is a flat tuple (code, instruction, code, instruction, …), innermost frame first. Code objects are
kept alive, frames and locals are not.
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from functools import lru_cache
from types import CodeType, FrameType

from poolwitness.model.locations import Frame, Stack

RawStack = tuple[CodeType | int, ...]

# Of a stack that is kept: at the level trace for every checkout, at every level for the line that made a pool.
MOST_FRAMES = 48

# How many frames may lie between a function and who called it: contextlib's and a decorator's. A framework's are more.
MAX_WRAPPER_FRAMES = 3
AWAITED = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
_AWAITS = AWAITED | inspect.CO_GENERATOR

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = ("site-packages", "dist-packages")


def capture(depth: int = 1, limit: int = MOST_FRAMES) -> RawStack:
    """The calling stack as code objects and instruction offsets.

    Args:
        depth: how many frames to leave out, 1 being the caller of this function.
        limit: frames kept at the most, the innermost ones.
    """
    frame: FrameType | None = sys._getframe(0)
    # Step by step: called straight from C (atexit, a C callback) the stack may be shorter than that.
    while frame is not None and depth:
        frame = frame.f_back
        depth -= 1
    return capture_from(frame, limit)


def capture_from(frame: FrameType | None, limit: int = MOST_FRAMES) -> RawStack:
    """The stack above and including *frame*, as `capture` gives it."""
    raw: list[CodeType | int] = []
    # A counter, a bound method or += for both takes longer: from 5 to 30 %.
    for _ in range(limit):
        if frame is None:
            break
        raw.append(frame.f_code)
        raw.append(frame.f_lasti)
        frame = frame.f_back
    return tuple(raw)


def constructors_of(cls: type) -> frozenset[int]:
    """The ids of the code of every ``__init__`` on the way up from *cls*: frames that make the pool, not its users'."""
    codes = set()
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        while init is not None:
            code = getattr(init, "__code__", None)
            if code is not None:
                codes.add(id(code))
            init = getattr(init, "__wrapped__", None)
    return frozenset(codes)


def resolve(raw: RawStack, skip: frozenset[int] = frozenset()) -> Stack:
    """Name the frames of a raw stack; frames of this package are left out.

    Args:
        raw: what `capture` returned.
        skip: ids of code objects that cannot be the origin, such as constructors of the pool's own classes.
    """
    frames: list[Frame] = []
    eligible: list[tuple[Frame, int]] = []
    for index in range(0, len(raw), 2):
        code, instruction = raw[index], raw[index + 1]
        assert isinstance(code, CodeType) and isinstance(instruction, int)
        frame = _frame(code, instruction)
        if frame.kind == "agent":
            continue
        frames.append(frame)
        if id(code) not in skip:
            eligible.append((frame, index))
    for wanted in ("application", "installed", "stdlib"):
        for frame, index in eligible:
            if frame.kind == wanted:
                return Stack(tuple(frames), frame, _frame_at(raw, caller_of(raw, index)), is_suspended(raw[index]))
    return Stack(tuple(frames), None)


def caller_of(raw: RawStack, index: int) -> int:
    """Where in a raw stack the application's frame is that called the one at *index*; -1 where none is near it.

    Who runs the loop has not called a task's first function, though its frame may be the next one below (uvloop).
    """
    awaited = _flags(raw[index]) & AWAITED
    for at in range(index + 2, min(len(raw), index + 2 * (MAX_WRAPPER_FRAMES + 2)), 2):
        code = raw[at]
        if awaited and not _flags(code) & _AWAITS:
            return -1
        if isinstance(code, CodeType) and kind_of(code.co_filename) == "application":
            return at
    return -1


def is_suspended(code: CodeType | int) -> bool:
    """Whether a function is a generator, as a context manager's is: it gives way and is there still."""
    return bool(_flags(code) & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR))


def _flags(code: CodeType | int) -> int:
    return code.co_flags if isinstance(code, CodeType) else 0


def _frame_at(raw: RawStack, index: int) -> Frame | None:
    code, instruction = (raw[index], raw[index + 1]) if index >= 0 else (None, None)
    return _frame(code, instruction) if isinstance(code, CodeType) and isinstance(instruction, int) else None


# By id, the code kept alive beside the frame: two files with the same text have code objects that are equal.
_frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
_MOST_REMEMBERED = 8192


def _frame(code: CodeType, instruction: int) -> Frame:
    known = _frames.get((id(code), instruction))
    if known is not None and known[0] is code:
        return known[1]
    name = code.co_filename
    if not name.startswith("<"):
        name = os.path.abspath(name)
    frame = Frame(name, line_of(code, instruction), code.co_name, kind_of(code.co_filename))
    if len(_frames) >= _MOST_REMEMBERED:
        _frames.clear()
    _frames[(id(code), instruction)] = (code, frame)
    return frame


def line_of(code: CodeType, instruction: int) -> int:
    """The source line of an instruction offset (PEP 626 ``co_lines``); the definition's line where it has none."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


@lru_cache(maxsize=1024)
def kind_of(filename: str) -> str:
    """Whose code a file is: ``application``, ``installed``, ``stdlib``, ``psycopg`` or ``agent``."""
    if filename.startswith("<"):
        return "stdlib" if filename.startswith("<frozen ") else "application"
    path = os.path.abspath(filename)
    if path.startswith(_PACKAGE_DIR):
        return "agent"
    parts = path.split(os.sep)
    if any(part in ("psycopg_pool", "psycopg") for part in parts[:-1]) and path.startswith(_psycopg_dirs()):
        return "psycopg"
    if any(part in _INSTALLED for part in parts) or path.startswith(_installed_dirs()):
        return "installed"
    return "stdlib" if path.startswith(_stdlib_dirs()) else "application"


@lru_cache(maxsize=1)
def _stdlib_dirs() -> tuple[str, ...]:
    return tuple({os.path.abspath(sysconfig.get_path(key)) + os.sep for key in ("stdlib", "platstdlib")})


@lru_cache(maxsize=1)
def _installed_dirs() -> tuple[str, ...]:
    # Console scripts (gunicorn, django-admin) live in the scripts folder: they are not the application.
    keys = ("purelib", "platlib", "scripts")
    return tuple({os.path.abspath(sysconfig.get_path(key)) + os.sep for key in keys})


def _psycopg_dirs() -> tuple[str, ...]:
    found = []
    for name in ("psycopg_pool", "psycopg"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            found.append(os.path.dirname(os.path.abspath(file)) + os.sep)
    return tuple(found)
