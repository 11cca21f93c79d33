"""Detect the end of processes that run no atexit callback, and the end of the main thread.

multiprocessing's children and celery's workers end by ``os._exit``. They are hooked when the first pool of a process is
about to be created: by then it is known which library forked the process.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from poolwitness.guards import is_ours, let_pass
from poolwitness.model.process_end import is_forked_by_multiprocessing

# Each signal with the ``send`` of its own that it had, and ours.
_sends: list[tuple[Any, Any, Any]] = []


def watch(give_verdict: Callable[[str], object]) -> None:
    """Call *give_verdict* at the end of this process also if it is a child of such a library.

    Args:
        give_verdict: gets the name of the hook that calls it; its second call does nothing.
    """
    # From Python 3.13 on such a child forgets its parent's callbacks and runs its own; before, it runs none at all.
    # multiprocessing's own callback comes last of all, and the program may close its pools in that.
    if sys.version_info >= (3, 13) and is_forked_by_multiprocessing():
        finalize = sys.modules["multiprocessing.util"].Finalize
        finalize(None, give_verdict, args=("atexit",), exitpriority=-sys.maxsize)
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        _after_all_handlers(signals.worker_process_shutdown, give_verdict)


def _after_all_handlers(signal: Any, give_verdict: Callable[[str], object]) -> None:
    # Not a handler among the others: those that are connected after the pool is created come later, and one closes it.
    # Installed in a parent it is there in its children, and only there the signal is sent.
    if any(known is signal for known, *_ in _sends):
        return
    own, original = vars(signal).get("send"), signal.send

    @functools.wraps(original)
    def send(*args: Any, **named: Any) -> Any:
        try:
            return original(*args, **named)
        finally:
            give_verdict("celery.worker_process_shutdown")

    signal.send = send
    _sends.append((signal, own, send))


def unwatch() -> None:
    """Put back what can be put back."""
    _main_thread_listeners.clear()
    while _sends:
        signal, own, send = _sends.pop()
        if vars(signal).get("send") is not send:
            continue
        if own is None:
            del signal.send
        else:
            signal.send = own


_main_thread_listeners: list[Callable[[], None]] = []
_registered: list[bool] = []


def when_main_thread_ends(listener: Callable[[], None]) -> None:
    """Call *listener* in the main thread when that is over, before Python waits for any other.

    Called again, it makes sure to run before the thread pools of concurrent.futures are waited for, which wait in the
    same way: the last to register is the first to be called. An exception there would keep Python from waiting.

    Args:
        listener: called once at the most.
    """
    _main_thread_listeners[:] = [listener]
    with_executors = "concurrent.futures.thread" in sys.modules
    register = getattr(threading, "_register_atexit", None)
    if register is None or with_executors in _registered or (_registered and not with_executors):
        return
    _registered.append(with_executors)
    try:
        register(_main_thread_over)
    except RuntimeError as error:  # it is over already
        let_pass(error)


def _main_thread_over() -> None:
    try:
        while _main_thread_listeners:
            _main_thread_listeners.pop()()
    except Exception as error:
        # Python would go on without waiting for the program's threads.
        if not is_ours(error):
            raise
