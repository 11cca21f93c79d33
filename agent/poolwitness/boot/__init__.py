"""The only door from site: uses os, sys and atexit alone, runs once, never raises.

Whatever the way in (.pth, sitecustomize, activate()), the second boot of a process does nothing.
"""

# No annotations from __future__ here: that is a module to import, in every interpreter that is on.

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"", "0", "false", "no", "off"})

booted_by: list[str] = []


def is_on(value: str) -> bool | None:
    """Whether a value of POOLWITNESS switches the agent on; None when it is neither yes nor no."""
    word = value.strip().lower()
    if word in _ON:
        return True
    return False if word in _OFF else None


def boot(how: str) -> None:
    """Arm the agent at interpreter start, if the environment asks for it.

    Args:
        how: the way in: ``pth`` or ``sitecustomize``.
    """
    try:
        value = os.environ.get("POOLWITNESS", "")
        on = is_on(value)
        if on is None:
            if how not in booted_by:
                booted_by.append(how)
                _complain(f"POOLWITNESS={value[:40]!r} is neither 1 nor 0, so the agent stays off; set it to 1 or 0")
        elif on and not booted_by:
            booted_by.append(how)
            _arm({}, how)
    except BaseException as error:  # noqa: BLE001 - SystemExit from a site hook is fatal to the interpreter
        _complain(f"the agent could not start ({type(error).__name__}); the program runs on without it")


def activate(settings: "Mapping[str, str]") -> None:
    """The way in from code: see `poolwitness.activate`."""
    try:
        if "activate" in booted_by:
            return
        if booted_by:
            booted_by.append("activate")
            return
        booted_by.append("activate")
        _arm(settings, "activate")
    except Exception as error:  # noqa: BLE001 - a watcher that cannot start must not stop the program
        _complain(f"the agent could not start ({type(error).__name__}); the program runs on without it")


def deactivate() -> None:
    """The way out: see `poolwitness.deactivate`."""
    booted_by.clear()
    atexit.unregister(_at_exit)
    sigterm = sys.modules.get("poolwitness.boot.sigterm")
    if sigterm is not None:
        sigterm.release()
    imports = sys.modules.get("poolwitness.boot.import_hook")
    if imports is not None:
        imports.forget()
    agent = sys.modules.get("poolwitness.agent")
    if agent is not None:
        agent.stop()


def _arm(settings: "Mapping[str, str]", how: str) -> None:
    # Registered first, so that it runs last, after the program's own clean-up.
    atexit.register(_at_exit)
    environ = dict(os.environ)
    for name, value in settings.items():
        environ["POOLWITNESS_" + name.upper()] = str(value)

    if is_on(environ.get("POOLWITNESS_SIGTERM", "")):
        from poolwitness.boot import sigterm

        sigterm.install(_at_sigterm)

    def start() -> None:
        from poolwitness import agent

        agent.start(environ, how)

    if "psycopg_pool" in sys.modules and hasattr(sys.modules["psycopg_pool"], "AsyncConnectionPool"):
        start()
    else:
        from poolwitness.boot import import_hook as imports

        imports.when_imported("psycopg_pool", start)


def _at_exit() -> None:
    try:
        _end()
    except Exception as error:  # noqa: BLE001 - atexit would print a traceback the program does not have
        _complain(f"no verdict: {type(error).__name__} at exit")


def _end() -> None:
    agent, sigterm = (sys.modules.get(f"poolwitness.{name}") for name in ("agent", "boot.sigterm"))
    if sigterm is not None:
        sigterm.hold()
    try:
        if agent is not None:
            agent.at_exit("atexit")
    finally:
        if sigterm is not None:
            sigterm.release()


def _at_sigterm() -> None:
    try:
        agent = sys.modules.get("poolwitness.agent")
        if agent is not None:
            agent.at_exit("SIGTERM")
    except Exception as error:  # noqa: BLE001 - a thread of ours would print a traceback the program does not have
        _complain(f"no verdict: {type(error).__name__} on SIGTERM")


def _complain(sentence: str) -> None:
    # Nothing that could report may be loaded, or work: one event, made by hand.
    try:
        if getattr(sys, "__stderr__", None) is None:  # closed at the start: the number may mean another file by now
            return
        line = f"poolwitness: {sentence}\n" if os.isatty(2) else _event(sentence)
        if _is_writable(2):
            os.write(2, line.encode("ascii", "backslashreplace"))
    except Exception:  # noqa: BLE001 - there is nobody left to tell
        pass


def _event(sentence: str) -> str:
    import json
    import time

    from poolwitness._version import SCHEMA_VERSION

    now = time.time()
    event = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z",
        "level": "warning",
        "event": "poolwitness.agent.failed",
        "message": sentence,
        "logger": "poolwitness",
        "process.pid": os.getpid(),
        "poolwitness.schema_version": SCHEMA_VERSION,
        "poolwitness.run_id": os.urandom(8).hex(),
        "poolwitness.seq": 1,
    }
    return json.dumps(event, separators=(",", ":")) + "\n"


def _is_writable(fd: int) -> bool:
    # A pipe that is full would hold up the program, one that nobody reads would kill it where SIGPIPE does.
    import select

    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return poll.poll(0) == [(fd, select.POLLOUT)]
