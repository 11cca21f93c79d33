"""Starts poolwitness where no .pth file is read, then gives way to the sitecustomize that this file hides.

Put the folder of this file, and nothing else, on PYTHONPATH. poolwitness itself may be installed, or lie as
a folder beside this file's folder (or around it, as in the package). With POOLWITNESS unset or 0 only the
giving way is done. Source: https://docs.python.org/3/library/site.html#module-sitecustomize
"""

import os
import sys


def _start(here: str) -> None:
    path_before = sys.path[:]
    try:
        try:
            from poolwitness.boot import boot
        except ModuleNotFoundError as missing:
            parent = os.path.dirname(here)
            homes = [
                folder
                for folder in (os.path.dirname(parent), parent)
                if os.path.isfile(os.path.join(folder, "poolwitness", "boot", "__init__.py"))
            ]
            if missing.name != "poolwitness" or not homes:
                raise
            # At the end: the program's own structlog, psutil and psycopg come first.
            sys.path.append(homes[0])
            from poolwitness.boot import boot
        boot("sitecustomize")
    except BaseException as error:  # noqa: BLE001 - here even a SystemExit would end the interpreter
        sys.path[:] = path_before
        _say(f"not started by {__file__}: {type(error).__name__}: {error}; the program runs on without it")


def _say(sentence: str) -> None:
    # Where there is no stderr, descriptor 2 is a file of somebody's. What a full one refuses must not stay in
    # sys.stderr's buffer either: the exit status would become 120.
    if sys.stderr is not None:
        try:
            os.write(2, f"poolwitness: {sentence}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            pass


def _give_way(here: str) -> None:
    """Imports the sitecustomize behind this one as the interpreter would have; what it raises is its own."""
    if here not in sys.path:
        return
    behind = sys.path[sys.path.index(here) + 1 :]
    sys.path.remove(here)
    sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    finally:
        # The other one may have changed the path: our place is before whatever came after us.
        place = next((sys.path.index(entry) for entry in behind if entry in sys.path), len(sys.path))
        sys.path.insert(place, here)


if __name__ == "sitecustomize":
    # An older Python that inherited PYTHONPATH could not even parse the package.
    if os.environ.get("POOLWITNESS", "0") not in ("", "0") and sys.version_info >= (3, 10):
        _start(os.path.dirname(__file__))
    _give_way(os.path.dirname(__file__))
