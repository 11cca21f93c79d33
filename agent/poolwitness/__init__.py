"""poolwitness: a witness for psycopg 3 connection pools.

Importing this package loads nothing but itself; each public name fetches what it needs when it is used.
"""

TYPE_CHECKING = False  # typing would be an import more in every interpreter that is on
if TYPE_CHECKING:
    from poolwitness._version import __version__
    from poolwitness.agent import Agent
    from poolwitness.model.findings import Finding
    from poolwitness.model.records import Snapshot

__all__ = ["__version__", "activate", "deactivate", "findings", "snapshot"]


def activate(**settings: str) -> None:
    """Switch the agent on in this process, whatever the environment says.

    Call it before the first pool is created: pools made earlier are not known to it.

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
    """What is known now, as an immutable record.

    Raises:
        RuntimeError: the agent is not active in this process.
    """
    return _agent().snapshot()


def findings() -> "list[Finding]":
    """What the rules say of the present moment; nothing is reported or remembered by asking.

    Raises:
        RuntimeError: the agent is not active in this process.
    """
    return _agent().findings()


def _agent() -> "Agent":
    import sys

    if "poolwitness.boot.first_pool" not in sys.modules:
        raise RuntimeError(
            "poolwitness is not active in this process: set POOLWITNESS=1 or call poolwitness.activate(), "
            "and import psycopg_pool"
        )
    from poolwitness.boot import first_pool

    first_pool.load()
    from poolwitness.agent import current

    return current()


def __getattr__(name: str) -> str:
    if name == "__version__":  # a file less to open in every interpreter that is on
        from poolwitness._version import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
