"""A program with its own excepthooks: it hears of its own exceptions, and of nothing else.

status: 1
expect: clean
"""

import os
import sys
import threading
from types import TracebackType

from psycopg_pool import ConnectionPool


def on_exception(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    print("main:", kind.__name__, error)


def on_thread_exception(args: threading.ExceptHookArgs) -> None:
    print(args.thread.name if args.thread else "?", args.exc_type.__name__, args.exc_value)


def on_unraisable(args: "sys.UnraisableHookArgs") -> None:
    print("unraisable:", args.exc_type.__name__)


sys.excepthook = on_exception
threading.excepthook = on_thread_exception
sys.unraisablehook = on_unraisable


def work() -> None:
    with pool.connection() as conn:
        conn.execute("select 1")
    raise ValueError("in a thread")


with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    print([hook.__name__ for hook in (sys.excepthook, threading.excepthook, sys.unraisablehook)])
    raise LookupError("in main")
