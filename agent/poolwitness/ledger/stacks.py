"""Capture a stack cheaply now; look up its files, lines and names later.

A raw stack is a flat tuple (code, instruction, code, instruction, …), innermost frame first. It keeps code objects
alive, but no frames and no locals.
"""

from __future__ import annotations

import inspect
import os
import sys
from types import CodeType, FrameType

from poolwitness.ledger import fork
from poolwitness.model.code_owner import code_owner, is_packed
from poolwitness.model.locations import Frame, Stack

RawStack = tuple[CodeType | int, ...]

# Frames of a stack that is kept: of every checkout at level trace, and of the line that created a pool at any level.
MOST_FRAMES = 48

# How many frames of others may lie between a function and its caller: contextlib's and a decorator's have fewer.
MAX_WRAPPER_FRAMES = 3
AWAITED = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
_AWAITS = AWAITED | inspect.CO_GENERATOR


def capture(frame: FrameType | None, limit: int = MOST_FRAMES) -> RawStack:
    """The stack of *frame*: itself and its callers, the innermost *limit* of them."""
    raw: list[CodeType | int] = []
    # A counter, a bound method or += for both takes longer: from 5 to 30 %.
    for _ in range(limit):
        if frame is None:
            break
        raw.append(frame.f_code)
        raw.append(frame.f_lasti)
        frame = frame.f_back
    return tuple(raw)


def current_frames() -> dict[int, FrameType]:
    """The innermost frame of every thread, by its identifier; empty if that cannot be asked safely.

    In a child of a fork whose hooks did not run, the states of the parent's threads are still listed. Python 3.11 and
    3.12 keep part of them on the threads' own stacks, which new threads overwrite: following them crashes.
    """
    return {} if fork.is_without_hooks() else sys._current_frames()


def constructors_of(cls: type) -> frozenset[int]:
    """The ids of the code of every ``__init__`` of *cls* and its bases: they are not the line that creates a pool."""
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
    """Look up the frames of a raw stack; frames of this package are left out.

    Args:
        raw: as `capture` returned it.
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


def raised_at(error: BaseException) -> Frame | None:
    """The application's line that raised an exception, or called what did; None if there is none in its traceback."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code_owner(code.co_filename) == "application":
            found = _frame(code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


def caller_of(raw: RawStack, index: int) -> int:
    """The index of the application's frame that called the one at *index*; -1 if there is none near it.

    What runs the event loop has not called a task's first function, although its frame may be the next one (uvloop).
    """
    awaited = _flags(raw[index]) & AWAITED
    for at in range(index + 2, min(len(raw), index + 2 * (MAX_WRAPPER_FRAMES + 2)), 2):
        code = raw[at]
        if awaited and not _flags(code) & _AWAITS:
            return -1
        if isinstance(code, CodeType) and code_owner(code.co_filename) == "application":
            return at
    return -1


def is_suspended(code: CodeType | int) -> bool:
    """Whether a function is a generator, as a context manager's is: it is suspended while its caller goes on."""
    return bool(_flags(code) & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR))


def _flags(code: CodeType | int) -> int:
    return code.co_flags if isinstance(code, CodeType) else 0


def _frame_at(raw: RawStack, index: int) -> Frame | None:
    code, instruction = (raw[index], raw[index + 1]) if index >= 0 else (None, None)
    return _frame(code, instruction) if isinstance(code, CodeType) and isinstance(instruction, int) else None


# By id, with the code kept alive beside the frame: two files with the same text have code objects that are equal.
_frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
_MOST_REMEMBERED = 8192


def _frame(code: CodeType, instruction: int) -> Frame:
    known = _frames.get((id(code), instruction))
    if known is not None and known[0] is code:
        return known[1]
    name = code.co_filename
    if not name.startswith("<") and not is_packed(name):
        name = os.path.abspath(name)
    frame = Frame(name, line_of(code, instruction), code.co_name, code_owner(code.co_filename))
    if len(_frames) >= _MOST_REMEMBERED:
        _frames.clear()
    _frames[(id(code), instruction)] = (code, frame)
    return frame


def line_of(code: CodeType, instruction: int) -> int:
    """The source line of an instruction offset (PEP 626 ``co_lines``); the definition's line if it has none."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno
