"""Find where threads, greenlets and tasks are now: the stack of each, or what a task awaits."""

from __future__ import annotations

import sys
import threading
from types import CodeType, FrameType
from typing import Any

from poolwitness.ledger.connections import ThreadHolder, TrackedConnection, current_task
from poolwitness.ledger.stacks import capture, current_frames, resolve
from poolwitness.model.locations import Stack

DEEPEST = 24
_FRAMES = ("cr_frame", "ag_frame", "gi_frame")


class ThreadFrames:
    """The frames of every thread at one moment, taken once for all holders; call `release` when done."""

    def __init__(self) -> None:
        self.frames: dict[int, FrameType] = current_frames()

    def release(self) -> None:
        """Drop the frames, and with them the locals that they keep alive."""
        self.frames = {}

    def of_thread(self, ident: int | None) -> Stack | None:
        """Where a thread is; None when it has ended."""
        frame = self.frames.get(ident) if ident is not None else None
        return resolve(capture(frame, DEEPEST)) if frame is not None else None

    def of_holder(self, connection: TrackedConnection) -> tuple[bool, Stack | None]:
        """Whether the holder of a connection is still alive, and where it is."""
        holder = connection.holder
        if holder is None:
            return True, None
        if isinstance(holder, ThreadHolder):
            if not holder.is_alive(self.frames):
                return False, None
            greenlet = holder.greenlet() if holder.greenlet is not None else None
            return True, self.of_thread(holder.ident) if greenlet is None else of_greenlet(greenlet)
        task = holder.task()
        if task is None or task.done():
            return False, None
        # The running task awaits nothing: it is where this thread is.
        return True, self.of_thread(threading.get_ident()) if task is current_task() else of_task(task)


def of_greenlet(greenlet: Any) -> Stack | None:
    """Where a greenlet is; the one that is running gives no frame."""
    running = greenlet is sys.modules["greenlet"].getcurrent()
    frame = sys._getframe(1) if running else greenlet.gr_frame
    return resolve(capture(frame, DEEPEST)) if frame is not None else None


def of_task(task: Any) -> Stack | None:
    """Where a task is: its coroutine, and what that awaits, innermost first."""
    raw: list[CodeType | int] = []
    coroutine = task.get_coro()
    for _ in range(DEEPEST):
        frame = next(filter(None, (getattr(coroutine, name, None) for name in _FRAMES)), None)
        if frame is None:
            break
        raw[:0] = [frame.f_code, frame.f_lasti]
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        if coroutine is None:
            break
    return resolve(tuple(raw)) if raw else None
