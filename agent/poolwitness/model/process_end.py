"""Tell how this process will end: whether atexit callbacks and finalizers will run."""

from __future__ import annotations

import sys


def is_forked_by_multiprocessing() -> bool:
    """Whether this process was forked by multiprocessing or by its fork server: it ends by ``os._exit``."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return False
    return getattr(process.current_process(), "_start_method", "") in ("fork", "forkserver")


def runs_finalizers(hook: str) -> bool:
    """Whether the interpreter will be finalized after *hook*, with the finalizers of what is left."""
    return hook == "atexit" and not is_forked_by_multiprocessing()


def ends_without_atexit() -> bool:
    """Whether no hook of this process will be called after the end of its main thread."""
    return sys.version_info < (3, 13) and is_forked_by_multiprocessing()
