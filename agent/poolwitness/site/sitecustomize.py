"""Start poolwitness where no .pth file is read, then import the sitecustomize that this file hides.

Put the folder of this file, and nothing else, on PYTHONPATH. poolwitness itself may be installed, or be a folder beside
this file's folder (or around it, as in the package). With POOLWITNESS unset or 0 this file only imports the hidden
sitecustomize. Source: https://docs.python.org/3/library/site.html#module-sitecustomize
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
        _report(f"not started by {__file__}: {type(error).__name__}: {error}; the program runs on without it")


def _report(sentence: str) -> None:
    # Without a stderr, descriptor 2 is some other file. sys.stderr is not used: what a full one refuses stays in its
    # buffer, and the exit status becomes 120.
    if sys.stderr is not None:
        try:
            os.write(2, f"poolwitness: {sentence}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            pass


def _import_hidden(here: str) -> None:
    """Import the next sitecustomize on the path as the interpreter would have; what it raises propagates."""
    if here not in sys.path:
        return
    behind = sys.path[sys.path.index(here) + 1 :]
    sys.path.remove(here)
    sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    finally:
        # The other one may have changed the path: our place is before the entries that came after us.
        place = next((sys.path.index(entry) for entry in behind if entry in sys.path), len(sys.path))
        sys.path.insert(place, here)


if __name__ == "sitecustomize":
    # An older Python that inherited PYTHONPATH could not even parse the package.
    if os.environ.get("POOLWITNESS", "0") not in ("", "0") and sys.version_info >= (3, 10):
        _start(os.path.dirname(__file__))
    _import_hidden(os.path.dirname(__file__))
