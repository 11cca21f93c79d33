"""Take in what is unusual about checkouts: note it in the ledger, and ask for a look at that pool."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from poolwitness.ledger.connections import Holder, TaskHolder, running
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedConnection, TrackedPool
from poolwitness.ledger.stacks import RawStack, caller_of, is_suspended
from poolwitness.observe.call_site import is_application
from poolwitness.observe.checkouts import SUSPECTED

MOST_INCIDENTS = 50
QUIET_S = 60.0
ACTIVE, INTRANS, INERROR, UNKNOWN = 1, 2, 3, 4
NOTE_AGE_S = 1.0


class CheckoutIncidents:
    """The listener of `CheckoutWatch`.

    Args:
        ledger: where pools are kept.
        look: called to have the rules run over one pool.
        came_back: called when a suspected connection was returned.
        picture: the text of a note for an exhausted pool.
        pool_closed: called when PoolClosed came to a request, with whether that was waiting.
    """

    def __init__(
        self,
        ledger: Ledger,
        look: Callable[[TrackedPool], None],
        came_back: Callable[[TrackedConnection], None],
        picture: Callable[[TrackedPool], str],
        pool_closed: Callable[[Any, bool], None],
    ) -> None:
        self.ledger = ledger
        self.look = look
        self.came_back = came_back
        self.picture = picture
        self._pool_closed = pool_closed
        self._notes: dict[int, tuple[float, str]] = {}

    def refused(self, entry: TrackedPool, error: BaseException, request: RawStack, waited_s: float) -> None:
        """Begin an episode, or count in it, and put the picture on the exception."""
        if entry.inherited:
            return
        self.ledger.drain()
        now_mono = time.monotonic()
        found = entry.exhaustion
        if found is None or now_mono - found[6] > QUIET_S:
            episode = 1 if found is None else found[0] + 1
            entry.exhaustion = [episode, type(error).__name__, request, waited_s, _holder(), 1, now_mono]
            self._notes.pop(entry.id, None)
            self.look(entry)
        else:
            found[5] += 1
            found[6] = now_mono
        add_note = getattr(error, "add_note", None)  # Python 3.11
        if add_note is not None:
            made_mono, note = self._notes.get(entry.id, (0.0, ""))
            if now_mono - made_mono > NOTE_AGE_S:
                note = self.picture(entry)
                self._notes[entry.id] = (now_mono, note)
            add_note(note)

    def pool_closed(self, pool: Any, waiting: bool) -> None:
        """PoolClosed is on its way to the application."""
        self._pool_closed(pool, waiting)

    def some_gone(self) -> None:
        """Tell lost slots when it happens, not at the next sweep."""
        for entry in self.ledger.drain_slots():
            self.look(entry)

    def nested(self, entry: TrackedPool, outer: TrackedConnection, inner: TrackedConnection) -> None:
        """A holder has two: told when the function that took the first is still on the stack."""
        raw, inner_raw = outer.raw, inner.raw
        # A connection that is gone without being returned is lost, not held.
        if not raw or not inner_raw or not _same(outer.holder, inner.holder) or outer.ref() is None:
            return
        taken = _holding(raw)
        activations = _on_stack(taken[0])
        # Taken again by the same line of the same call, in a loop: the first was handed on or put away.
        if not activations or (activations == 1 and taken == _holding(inner_raw)):
            return
        if self._note("nested", entry, raw, inner_raw, inner, time.monotonic() - outer.taken_mono):
            self.look(entry)

    def returned(
        self, entry: TrackedPool, slot: TrackedConnection, taken: RawStack, status: int, returned: RawStack
    ) -> None:
        """A connection is back, and something about it was unusual."""
        if slot.suspected:
            slot.suspected = ""
            self.came_back(slot)
        if status == SUSPECTED or entry.inherited:
            return
        kind = "in_transaction" if status in (INTRANS, INERROR) else "broken" if status in (ACTIVE, UNKNOWN) else ""
        if kind and self._note(kind, entry, taken, returned, slot, slot.held_s):
            self.look(entry)

    def _note(
        self, kind: str, entry: TrackedPool, taken: RawStack, at: RawStack, slot: TrackedConnection, held_s: float
    ) -> bool:
        places = (*_place(taken), *_place(at))
        if kind == "nested" and places[:2] == places[2:]:
            # Both through one helper: whose they are is said by who called it.
            places = (*_places(taken), *_places(at))
        key = (kind, *(id(part) if isinstance(part, CodeType) else part for part in places))
        known = entry.incidents.get(key)
        if known is not None:
            known[4] += 1
            return False
        if len(entry.incidents) >= MOST_INCIDENTS:
            return False
        who = _spelled(slot.holder)
        entry.incidents[key] = [taken, at, who, held_s, 1]
        return True


def _spelled(holder: Holder | None) -> str:
    if holder is None:
        return "somebody"
    return f"{'task' if holder.in_task else 'thread'} {holder.name[:60]!r}"


def _holder() -> str:
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no running loop
            task = None
        if task is not None:
            return str(task.get_name())
    return running().name


def _same(one: Holder | None, other: Holder | None) -> bool:
    if isinstance(one, TaskHolder) and isinstance(other, TaskHolder):
        return one.task() is other.task()
    return one is other


def _places(raw: RawStack) -> RawStack:
    """The application's frame, and the one of its own that called that: two at the most."""
    for index in range(0, len(raw), 2):
        code = raw[index]
        if isinstance(code, CodeType) and is_application(code):
            caller = caller_of(raw, index)
            return raw[index : index + 2] + (raw[caller : caller + 2] if caller > 0 else ())
    return raw[:2]


def _place(raw: RawStack) -> RawStack:
    """The application's frame: the first of a short stack, and further out in a whole one."""
    return _places(raw)[:2]


def _holding(raw: RawStack) -> RawStack:
    """The frame that is there for as long as the connection is held: a generator's, as of a context manager, is not."""
    own = _places(raw)
    return own[2:] if is_suspended(own[0]) and len(own) > 2 else own[:2]


def _on_stack(code: object) -> int:
    """How many calls of a function are under way."""
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        count += frame.f_code is code
        frame = frame.f_back
    return count
