"""Name the thread and the asyncio task that are running now."""

from __future__ import annotations

import sys

from poolwitness.ledger.connections import running


def runner_name() -> str:
    """For example ``MainThread``, or ``MainThread, task Task-1``."""
    thread = running().name
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return thread
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no running loop
        return thread
    return f"{thread}, task {task.get_name()}" if task is not None else thread
