"""Where a holder stands now: the stack of a thread, or of a task through what it awaits."""

from __future__ import annotations

import sys
import threading
from types import CodeType, FrameType
from typing import Any

from poolwitness.ledger.connections import ThreadHolder
from poolwitness.ledger.pools import TrackedConnection
from poolwitness.ledger.stacks import capture_from, resolve
from poolwitness.model.records import Stack
from poolwitness.snapshot.frames import current_frames

DEEPEST = 24


class ThreadFrames:
    """The frames of every thread at one moment, taken once for all holders; call ``done`` to let go of them."""

    def __init__(self) -> None:
        self.frames: dict[int, FrameType] = current_frames()

    def done(self) -> None:
        """Let go of the frames, and with them of the locals that they keep alive."""
        self.frames = {}

    def of_thread(self, ident: int | None) -> Stack | None:
        """Where a thread stands; None when it has ended."""
        frame = self.frames.get(ident) if ident is not None else None
        return resolve(capture_from(frame, DEEPEST)) if frame is not None else None

    def of_slot(self, slot: TrackedConnection) -> tuple[bool, Stack | None]:
        """Whether the holder of a connection is still there, and where it stands."""
        holder = slot.holder
        if holder is None:
            return True, None
        if isinstance(holder, ThreadHolder):
            if not holder.is_there(self.frames):
                return False, None
            greenlet = holder.greenlet() if holder.greenlet is not None else None
            return True, self.of_thread(holder.ident) if greenlet is None else of_greenlet(greenlet)
        task = holder.task()
        if task is None or task.done():
            return False, None
        # The task that runs now awaits nothing: it stands where this thread does.
        return True, self.of_thread(threading.get_ident()) if task is _running_task() else of_task(task)


def _running_task() -> Any:
    asyncio = sys.modules.get("asyncio")
    try:
        return asyncio.current_task() if asyncio is not None else None
    except RuntimeError:  # no running loop
        return None


def of_greenlet(greenlet: Any) -> Stack | None:
    """Where a greenlet stands: the one that runs now has no frame of its own to give."""
    running = greenlet is sys.modules["greenlet"].getcurrent()
    frame = sys._getframe(1) if running else greenlet.gr_frame
    return resolve(capture_from(frame, DEEPEST)) if frame is not None else None


def of_task(task: Any) -> Stack | None:
    """Where a task stands: its coroutine, and what that awaits, innermost first."""
    raw: list[CodeType | int] = []
    coroutine = task.get_coro()
    for _ in range(DEEPEST):
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            frame = getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        raw[:0] = [frame.f_code, frame.f_lasti]
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        if coroutine is None:
            break
    return resolve(tuple(raw)) if raw else None
