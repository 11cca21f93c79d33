"""A process by itself, or the child of one, that ends in the way that its words say."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
from typing import Any

import shop


def end(how: str, ready: Any = None) -> None:
    """Come to an end."""
    shop.query()
    shop.mark()
    if how == "sys.exit":
        sys.exit(3)
    if how == "exception":
        raise RuntimeError("the end")
    if how == "os._exit":
        os._exit(3)
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "crash":
        import faulthandler

        faulthandler._sigsegv()  # type: ignore[attr-defined]
    if how == "wait":
        print("served", flush=True)
        if ready is not None:
            ready.set()
        threading.Event().wait(60)


def main(model: str, how: str) -> None:
    """Be one, or have one."""
    if model == "program":
        end(how)
    elif model == "os.fork":
        child = os.fork()
        if not child:
            end(how)
            return
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
    elif model == "ProcessPoolExecutor":
        with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as executor:
            executor.submit(end, how).result()
    elif model == "Pool":
        with multiprocessing.get_context("fork").Pool(1) as pool:
            pool.apply(end, [how])
            pool.close()
            pool.join()
    else:
        context = multiprocessing.get_context(model)
        ready = context.Event()
        process = context.Process(target=end, args=["wait" if how == "terminate" else how, ready])
        process.start()
        if how == "terminate":
            ready.wait(60)
            process.terminate()
        process.join()
        assert process.exitcode is not None
        sys.exit(process.exitcode % 256)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(*sys.argv[1:])
