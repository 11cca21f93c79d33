"""Find who checked out a connection: the application's nearest two frames or, at level ``trace``, the innermost 48."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import CodeType, FrameType

from poolwitness.ledger.stacks import MAX_WRAPPER_FRAMES, RawStack, caller_of, capture, is_suspended
from poolwitness.model.code_owner import code_owner

# How far to look for the application's frame: past SQLAlchemy or Django, not to the end of a web framework.
DEEPEST = 30

MOST_KNOWN = 10_000

# What a code object is: the application's, what runs a thread, or something else.
APPLICATION, THREAD, OTHER = 1, -1, 0
# Not threading.__file__: in a frozen program code has a relative name.
_OF_THREADS = (threading.settrace.__code__.co_filename, os.path.join("concurrent", "futures", "thread.py"))

# By the id of a code object: hashing one is slow.
code_kinds: dict[int, int] = {}
_alive: list[CodeType] = []


def is_application(code: CodeType) -> bool:
    """Whether a code object is the application's."""
    return code_kind(code) == APPLICATION


def code_kind(code: CodeType) -> int:
    """What a code object is; looked up once for each."""
    known = code_kinds.get(id(code))
    if known is None:
        if len(_alive) >= MOST_KNOWN:
            # A program that generates code; the kinds first, so that none outlives its code object.
            code_kinds.clear()
            _alive.clear()
        _alive.append(code)
        known = code_kinds[id(code)] = _new_kind(code)
    return known


def _new_kind(code: CodeType) -> int:
    if code_owner(code.co_filename) == "application":
        return APPLICATION
    return THREAD if code.co_filename.endswith(_OF_THREADS) else OTHER


def nearest(frame: FrameType | None) -> RawStack:
    """The application's nearest frame and its caller; without one, the nearest frames.

    The nearest is often a helper through which every connection is taken; then its caller tells them apart.
    """
    kinds = code_kinds
    first = frame
    for _ in range(DEEPEST):
        if frame is None:
            break
        code = frame.f_code
        kind = kinds.get(id(code))
        if kind is None:
            kind = code_kind(code)
        if kind == APPLICATION:
            caller = frame.f_back
            if caller is None:
                return (code, frame.f_lasti)
            return (code, frame.f_lasti, *_called_by(caller))
        if kind == THREAD:
            break
        frame = frame.f_back
    return capture(first, DEEPEST)


def _called_by(caller: FrameType) -> RawStack:
    frame: FrameType | None = caller
    for _ in range(MAX_WRAPPER_FRAMES + 1):
        if frame is None:
            break
        code = frame.f_code
        kind = code_kind(code)
        if kind == APPLICATION:
            return (code, frame.f_lasti)
        if kind == THREAD:
            return ()  # a thread's first function has no caller, and looking at a frame takes memory
        frame = frame.f_back
    return (caller.f_code, caller.f_lasti)


def capture_for(trace: bool) -> Callable[[FrameType | None], RawStack]:
    """The function that captures the stack of a checkout.

    Args:
        trace: capture the innermost `MOST_FRAMES` frames, and not only the application's nearest two.
    """
    return capture if trace else nearest


def call_sites(raw: RawStack) -> RawStack:
    """The application's frame in a stack, and its caller among the application's own: two frames at the most."""
    for index in range(0, len(raw), 2):
        code = raw[index]
        if isinstance(code, CodeType) and is_application(code):
            caller = caller_of(raw, index)
            return raw[index : index + 2] + (raw[caller : caller + 2] if caller > 0 else ())
    return raw[:2]


def call_site(raw: RawStack) -> RawStack:
    """The application's frame: the first of a short stack, and further out in a long one."""
    return call_sites(raw)[:2]


def holding_site(raw: RawStack) -> RawStack:
    """The frame that lasts as long as the connection is held: not a generator's, as a context manager's is."""
    own = call_sites(raw)
    return own[2:] if is_suspended(own[0]) and len(own) > 2 else own[:2]
