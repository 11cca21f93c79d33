"""Who forks the processes of this program, for advice that fits: told by what is imported, and asked only then."""

from __future__ import annotations

import os
import sys
from types import CodeType

from poolwitness.ledger.stacks import RawStack

_ASGIREF = os.path.join("asgiref", "sync.py")
# In a worker process of each, this module is there; in other programs that know the package, it is not.
_SERVERS = (
    ("uwsgi", "uwsgi"),
    ("celery.concurrency.prefork", "celery"),
    ("gunicorn.arbiter", "gunicorn"),
)


def forker() -> str:
    """``multiprocessing``, ``uwsgi``, ``celery`` or ``gunicorn``; empty where it is none of them."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return "multiprocessing"
    for module, name in _SERVERS:
        if module in sys.modules:
            return name
    return ""


def tester(used: RawStack) -> str:
    """``pytest`` or ``asgiref``, which run coroutines on loops of their own; empty without them.

    Args:
        used: the stack of the call on the other loop.
    """
    # Where asgiref itself runs the call, it does so under pytest too.
    if any(isinstance(code, CodeType) and code.co_filename.endswith(_ASGIREF) for code in used[::2]):
        return "asgiref"
    for module, name in (("pytest", "pytest"), ("asgiref.sync", "asgiref")):
        if module in sys.modules:
            return name
    return ""
