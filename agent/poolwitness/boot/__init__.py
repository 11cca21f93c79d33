"""Enter the interpreter: read the switch, wait for psycopg_pool to be imported, and hook the end of the process.

Loads os, sys, atexit, time and select alone until psycopg_pool is imported, runs once, and never raises. However it is
called (.pth, sitecustomize, activate()), the second call in a process does nothing.
"""

# No annotations from __future__ here: that is a module to import, in every interpreter that is on.

import atexit
import os
import sys

from poolwitness.model.startup import is_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

booted_by: list[str] = []
# What POOLWITNESS is set to, if that is neither yes nor no.
_refused: list[str] = []


def boot(how: str) -> None:
    """Start the agent with the interpreter, if the environment asks for it.

    Args:
        how: the way in: ``pth`` or ``sitecustomize``.
    """
    try:
        value = os.environ.get("POOLWITNESS", "")
        on = is_on(value)
        if on is None:
            if how not in booted_by:
                booted_by.append(how)
                _refused.append(value)
                _complain(f"POOLWITNESS={value[:40]!r} is neither 1 nor 0, so the agent stays off; set it to 1 or 0")
        elif on and not booted_by:
            booted_by.append(how)
            _wait_for_psycopg_pool({}, how)
    except BaseException as error:  # noqa: BLE001 - SystemExit from a site hook is fatal to the interpreter
        _complain(f"the agent could not start ({type(error).__name__}); the program runs on without it")


def activate(settings: "Mapping[str, str]") -> None:
    """Start the agent from code: see `poolwitness.activate`."""
    if "activate" in booted_by:
        return
    is_first = not booted_by or bool(_refused)
    booted_by.append("activate")
    if is_first:
        from poolwitness.guards import is_ours

        try:
            _wait_for_psycopg_pool(settings, "activate")
        except BaseException as error:
            deactivate()
            if not is_ours(error):
                raise
            _complain(f"the agent could not start ({type(error).__name__}); the program runs on without it")


def deactivate() -> None:
    """Remove the agent: see `poolwitness.deactivate`."""
    booted_by.clear()
    atexit.unregister(_at_exit)
    # Only what is loaded has anything to undo.
    for name, undo in (
        ("boot.sigterm", "release"),
        ("boot.import_hook", "remove"),
        ("boot.first_pool", "unwrap_constructors"),
        ("agent", "stop"),
    ):
        _call(name, undo)


def _call(module: str, function: str, *arguments: str) -> "Any":
    """Call a function of a module of ours if that is loaded; it may still be in the middle of its import."""
    loaded = getattr(sys.modules.get(f"poolwitness.{module}"), function, None)
    return loaded(*arguments) if loaded is not None else None


def _wait_for_psycopg_pool(settings: "Mapping[str, str]", how: str) -> None:
    # Registered first, so that it runs last, after the program's own clean-up.
    atexit.register(_at_exit)
    environ = dict(os.environ)
    for name, value in settings.items():
        environ["POOLWITNESS_" + name.upper()] = str(value)

    if is_on(environ.get("POOLWITNESS_SIGTERM", "")):
        from poolwitness.boot import sigterm

        sigterm.install(_at_sigterm)

    def wrap() -> None:
        from poolwitness.boot import first_pool

        first_pool.wrap_constructors(environ, how)

    if "psycopg_pool" in sys.modules and hasattr(sys.modules["psycopg_pool"], "AsyncConnectionPool"):
        wrap()
    else:
        from poolwitness.boot import import_hook

        import_hook.when_imported("psycopg_pool", wrap)


def _at_exit() -> None:
    try:
        _call("boot.sigterm", "hold")
        try:
            _call("agent", "give_verdict", "atexit")
        finally:
            _call("boot.sigterm", "release")
    except Exception as error:
        from poolwitness.guards import is_ours

        # atexit would print a traceback that the program does not have.
        if not is_ours(error):
            raise
        _complain(f"no verdict: {type(error).__name__} at exit")


def _at_sigterm() -> None:
    try:
        _call("agent", "give_verdict", "SIGTERM")
    except Exception as error:  # noqa: BLE001 - a thread of ours would print a traceback that the program does not have
        _complain(f"no verdict: {type(error).__name__} on SIGTERM")


def _complain(sentence: str) -> None:
    try:
        from poolwitness.boot.last_resort import complain

        complain(sentence)
    except BaseException:  # noqa: BLE001 - as in boot(); there is no other way to report it
        pass
