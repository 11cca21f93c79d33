"""The public API of poolwitness, a runtime diagnostics agent for psycopg 3 connection pools.

Importing this package loads nothing but itself; each public name imports what it needs when it is used.
"""

import sys

TYPE_CHECKING = False  # typing is not imported: the agent loads this module with every interpreter
if TYPE_CHECKING:
    from typing import Any

    from poolwitness._version import __version__
    from poolwitness.agent import Agent
    from poolwitness.model.findings import Finding
    from poolwitness.model.records import Snapshot

__all__ = ["__version__", "activate", "deactivate", "findings", "snapshot"]


def activate(**settings: str) -> None:
    """Switch the agent on in this process, whatever the environment says.

    Call it before the first pool is created: the agent does not know pools that are older.

    Args:
        settings: values of the POOLWITNESS_… variables by their short lower-case names, for example
            ``activate(level="trace", output="file:/var/log/pw.jsonl")``; the environment fills the rest.

    Raises:
        Nothing: a bad setting is reported in the agent's own output and takes its default.
    """
    from poolwitness.boot import activate as boot_activate

    boot_activate(settings)


def deactivate() -> None:
    """Take the agent out of this process and leave the program as it was found."""
    from poolwitness.boot import deactivate as boot_deactivate

    boot_deactivate()


def snapshot() -> "Snapshot":
    """What the agent knows now, as an immutable record; loads the agent if there was no pool yet.

    Raises:
        RuntimeError: the agent is not active in this process.
    """
    return _agent().snapshot()


def findings() -> "list[Finding]":
    """What the rules find now; the call reports nothing and remembers nothing.

    Raises:
        RuntimeError: the agent is not active in this process.
    """
    return _agent().findings()


def _agent() -> "Agent":
    first_pool = sys.modules.get("poolwitness.boot.first_pool")
    if first_pool is None or not first_pool.load():
        raise RuntimeError(
            "poolwitness is not active in this process: set POOLWITNESS=1 or call poolwitness.activate(), and import"
            " psycopg_pool; if that was done, a line on stderr says why the agent is off"
        )
    from poolwitness.agent import current

    return current()


def __getattr__(name: str) -> str:
    if name == "__version__":  # one file less to open in every interpreter
        from poolwitness._version import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Package(type(sys)):  # type: ignore[misc]
    """Keeps `snapshot()` where it is: the import of the subpackage of the same name would replace it."""

    def __setattr__(self, name: str, value: "Any") -> None:
        if name != "snapshot" or callable(value):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
