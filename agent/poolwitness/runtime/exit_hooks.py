"""Ends of a process that the atexit callback from its start does not see: multiprocessing's children, celery's workers.

Asked when the first pool of a process is about to be made: by then a child knows whose it is.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

# Each signal with the send of its own that it had, and ours.
_sends: list[tuple[Any, Any, Any]] = []


def watch(tell: Callable[[str], object]) -> None:
    """Have *tell* called at the end of this process also where it is a child of such a library.

    Args:
        tell: takes the name of the hook that calls it; called twice it does nothing the second time.
    """
    # From Python 3.13 on such a child forgets its parent's callbacks and runs its own; before, it runs none at all.
    # multiprocessing's own callback comes last of all, and the program may close its pools in that.
    if sys.version_info >= (3, 13) and is_forked_by_multiprocessing():
        finalize = sys.modules["multiprocessing.util"].Finalize
        finalize(None, tell, args=("atexit",), exitpriority=-sys.maxsize)
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        _after_all_handlers(signals.worker_process_shutdown, tell)


def _after_all_handlers(signal: Any, tell: Callable[[str], object]) -> None:
    # Not a handler among the others: those that are connected after the pool is made come later, and one closes it.
    # Put there in a parent it is there in its children, where alone it is sent.
    if any(known is signal for known, *_ in _sends):
        return
    own, original = vars(signal).get("send"), signal.send

    @functools.wraps(original)
    def send(*args: Any, **named: Any) -> Any:
        try:
            return original(*args, **named)
        finally:
            tell("celery.worker_process_shutdown")

    signal.send = send
    _sends.append((signal, own, send))


def forget() -> None:
    """Take back what can be taken back."""
    while _sends:
        signal, own, send = _sends.pop()
        if vars(signal).get("send") is not send:
            continue
        if own is None:
            del signal.send
        else:
            signal.send = own


def is_forked_by_multiprocessing() -> bool:
    """Whether this process was forked by multiprocessing or by its fork server: it ends by ``os._exit``."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return False
    return getattr(process.current_process(), "_start_method", "") in ("fork", "forkserver")


def runs_finalizers(hook: str) -> bool:
    """Whether the interpreter will be finalized after *hook*, with the finalizers of what is left.

    Args:
        hook: the one that was called.
    """
    return hook == "atexit" and not is_forked_by_multiprocessing()


def ends_without_atexit() -> bool:
    """Whether the end of the main thread is the last that will be heard of this process."""
    return sys.version_info < (3, 13) and is_forked_by_multiprocessing()
