"""Captures who took a connection: the application's nearest two frames or, at the level ``trace``, the innermost 48."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import CodeType, FrameType

from poolwitness.ledger.stacks import MAX_WRAPPER_FRAMES, RawStack, capture_from, kind_of

# How far to look for the application's frame: past SQLAlchemy or Django, not to the end of a web framework.
DEEPEST = 30

MOST_KNOWN = 10_000

# What a code object is: the application's, what runs a thread, or something else.
APPLICATION, THREAD, OTHER = 1, -1, 0
_OF_THREADS = (threading.__file__, os.path.join("concurrent", "futures", "thread.py"))

# By the id of a code object: hashing one is slow.
answers: dict[int, int] = {}
_alive: list[CodeType] = []


def is_application(code: CodeType) -> bool:
    """Whether a code object is the application's."""
    return kind_of_code(code) == APPLICATION


def kind_of_code(code: CodeType) -> int:
    """What a code object is; asked once for each."""
    known = answers.get(id(code))
    if known is None:
        if len(_alive) >= MOST_KNOWN:
            # A program that generates code; the answers first, so that none outlives its code object.
            answers.clear()
            _alive.clear()
        _alive.append(code)
        known = answers[id(code)] = _new_kind_of(code)
    return known


def _new_kind_of(code: CodeType) -> int:
    if kind_of(code.co_filename) == "application":
        return APPLICATION
    return THREAD if code.co_filename.endswith(_OF_THREADS) else OTHER


def nearest(frame: FrameType | None) -> RawStack:
    """The application's nearest frame and the one that called it; without one, the nearest that are not ours.

    The nearest is often a helper in which every connection is taken; then the one that called it tells them apart.
    """
    application = answers
    first = frame
    for _ in range(DEEPEST):
        if frame is None:
            break
        code = frame.f_code
        known = application.get(id(code))
        if known is None:
            known = kind_of_code(code)
        if known == APPLICATION:
            caller = frame.f_back
            if caller is None:
                return (code, frame.f_lasti)
            return (code, frame.f_lasti, *_called_by(caller))
        if known == THREAD:
            break
        frame = frame.f_back
    return capture_from(first, DEEPEST)


def _called_by(caller: FrameType) -> RawStack:
    frame: FrameType | None = caller
    for _ in range(MAX_WRAPPER_FRAMES + 1):
        if frame is None:
            break
        code = frame.f_code
        kind = kind_of_code(code)
        if kind == APPLICATION:
            return (code, frame.f_lasti)
        if kind == THREAD:
            return ()  # nobody has called the thread's first function, and a frame that is looked at takes memory
        frame = frame.f_back
    return (caller.f_code, caller.f_lasti)


def capture_for(trace: bool) -> Callable[[FrameType | None], RawStack]:
    """The function that captures the stack of a checkout.

    Args:
        trace: capture `MOST_FRAMES` frames, the innermost ones, and not only the application's nearest two.
    """
    return capture_from if trace else nearest
