"""What becomes of a signal: the words say what the program does about SIGUSR2 itself.

``before`` and ``ignored`` take it before the pool is imported, ``later`` after a pool was opened, ``elsewhere`` imports
the pool in another thread, ``given-back`` deactivates the agent again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import poolwitness


def own(number: int, frame: object) -> None:
    os.write(1, b"OWN\n")


def work() -> None:
    from psycopg_pool import ConnectionPool

    with ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="handled"):
        if what == "later":
            signal.signal(signal.SIGUSR2, own)
        if what == "given-back":
            poolwitness.deactivate()
        # Not through sys.stdout: the handler may come in the middle of its flush.
        os.write(1, f"READY {signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL}\n".encode())
        while os.read(0, 100) != b"go on\n":
            pass
    with ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="the next"):
        pass
    os.write(1, b"ENDED\n")


what = sys.argv[1]
if what == "before":
    signal.signal(signal.SIGUSR2, own)
if what == "ignored":
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
if what == "elsewhere":
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
