"""What Python will call after a callback of ours, when the program ends: whether anybody may close a pool yet."""

from __future__ import annotations

import atexit
from collections.abc import Collection

# Whose callbacks close no pool, by the package that they are defined in.
_CLOSE_NO_POOL = frozenset({"certifi", "grpc", "logging", "multiprocessing", "opentelemetry", "poolwitness"})


class _Onlooker:
    """Equal to nothing, and keeps what it was compared with."""

    __slots__ = ("seen",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.seen: list[object] = []

    def __eq__(self, other: object) -> bool:
        self.seen.append(other)
        return False


def registered() -> list[object]:
    """The callbacks of this process, the first to be registered first; they are called the other way about."""
    onlooker = _Onlooker()
    # It is compared with each of them, and none is equal: nothing is taken out.
    atexit.unregister(onlooker)  # type: ignore[arg-type]
    return onlooker.seen


def nobody_closes_pools_after(callback: object, but_for: Collection[object] = ()) -> bool:
    """Whether all that is called after a callback is known to leave pools alone.

    Args:
        callback: as it was registered; where it was not, nothing is known.
        but_for: objects whose methods are known to.
    """
    seen = registered()
    places = [place for place, each in enumerate(seen) if each is callback]
    owners = {id(each) for each in but_for}
    return bool(places) and all(_closes_no_pool(each, owners) for each in seen[: places[-1]])


def _closes_no_pool(callback: object, owners: set[int]) -> bool:
    if id(getattr(callback, "__self__", None)) in owners:
        return True
    module = getattr(callback, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in _CLOSE_NO_POOL
