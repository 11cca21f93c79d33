"""Recognize what runs this program (gunicorn, celery, pytest, …) by its imported modules, for advice that fits."""

from __future__ import annotations

import os
import sys
from types import CodeType

from poolwitness.ledger.stacks import RawStack

_ASGIREF = os.path.join("asgiref", "sync.py")
# A worker process of each has imported this module; other programs that know the package have not.
_MANAGERS = (
    ("uwsgi", "uwsgi"),
    ("celery.concurrency.prefork", "celery"),
    ("gunicorn.arbiter", "gunicorn"),
)


def process_manager() -> str:
    """``multiprocessing``, ``uwsgi``, ``celery`` or ``gunicorn``, which fork this program's processes; or empty."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return "multiprocessing"
    for module, name in _MANAGERS:
        if module in sys.modules:
            return name
    return ""


def test_runner(used: RawStack) -> str:
    """``pytest`` or ``asgiref``, which run coroutines on loops of their own; empty without them.

    Args:
        used: the stack of the call on the other loop.
    """
    # A call that asgiref itself runs is asgiref's, under pytest too.
    if any(isinstance(code, CodeType) and code.co_filename.endswith(_ASGIREF) for code in used[::2]):
        return "asgiref"
    for module, name in (("pytest", "pytest"), ("asgiref.sync", "asgiref")):
        if module in sys.modules:
            return name
    return ""
