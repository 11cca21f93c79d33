"""Write what a process looks like shortly before it ends, as JSON, to the file that ``PWTEST_PROBE`` names.

It runs in the program under test, with the agent and without, and imports only what the interpreter has loaded anyway
until the end.
"""

import atexit
import os
import sys


def _write() -> None:
    path = os.environ.get("PWTEST_PROBE", "")
    if not path or os.getpid() != _PID:  # children of a fork inherit the callback
        return
    import json
    import logging
    import signal
    import threading
    import time
    import warnings

    # Threads of a pool that was closed may be about to end.
    for _ in range(50):
        if _os_threads() == len(threading.enumerate()):
            break
        time.sleep(0.01)

    descriptors = {}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            descriptors[name] = os.readlink("/proc/self/fd/" + name).partition(":")[0]
        except OSError:  # the listing's own
            pass
    state = {
        "descriptors": descriptors,
        "environment": {
            name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PWTEST"))
        },
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "os threads": _os_threads(),
        "signal handlers": {int(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "directory": os.getcwd(),
        "umask": _umask(),
        "hooks": [str(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook)],
        "tracing": [str(sys.gettrace()), str(sys.getprofile())],
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "path": sys.path,
        "warnings": [str(entry) for entry in warnings.filters],
        "logging": [
            str(logging.getLogger().handlers),
            logging.getLogger().level,
            sorted(logging.root.manager.loggerDict),
        ],
        "meta path": [type(finder).__name__ for finder in sys.meta_path],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(state, file)


def _os_threads() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_PID = os.getpid()
if os.environ.get("PWTEST_PROBE") and not os.path.exists(os.environ["PWTEST_PROBE"]):
    atexit.register(_write)
