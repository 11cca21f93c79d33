"""Know that this process is a forked child: the hook only appends, the ledger takes it in at its next step."""

from __future__ import annotations

import os
from collections import deque

_listening: list[deque[int]] = []
_registered: list[bool] = []


def watch(forked: deque[int]) -> None:
    """Append to *forked* in every child from now on; hooks cannot be taken back, so one serves for good."""
    _listening.append(forked)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered.append(True)
        os.register_at_fork(after_in_child=_in_child)


def forget() -> None:
    """Stop appending."""
    _listening.clear()


def _in_child() -> None:
    for forked in _listening:
        forked.append(1)
