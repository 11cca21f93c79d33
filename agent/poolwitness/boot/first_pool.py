"""Wrap the constructors of psycopg_pool's two base classes, and load the agent when a program creates its first pool.

Everything else of the agent is loaded then: in the thread that creates the pool, before the original constructor runs.
A fork waits for a load in another thread to end: a child that is born in the middle of it would wait forever for the
lock of a module that the other thread was importing. The constructors are wrapped by hand: `observe` is not loaded.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from poolwitness.boot.last_resort import complain
from poolwitness.guards import is_ours
from poolwitness.model.startup import CHECK_FILE, open_file

if TYPE_CHECKING:
    from poolwitness.observe.pools import PoolPatches

# How long another thread that creates a pool, or a fork, waits for a load to end.
PATIENCE_S = 1.0
FORK_PATIENCE_S = 10.0

# The usual cause of files that cannot be found or read.
ADVICE = (
    "; if it has changed its root directory or its user since it imported psycopg_pool, call"
    " poolwitness.snapshot() before that, which loads the agent"
)


class FirstPool:
    """Loads the agent of this process once.

    Args:
        environ: the environment, with the settings of `activate` in it.
        how: the way in: ``pth``, ``sitecustomize`` or ``activate``.
    """

    def __init__(self, environ: Mapping[str, str], how: str) -> None:
        self.environ = environ
        self.how = how
        # What the wrapped constructors call; None until the agent is loaded.
        self.pools: PoolPatches | None = None
        self.off = False
        self._lock = threading.RLock()
        # The thread that loads, and its process.
        self._loading: tuple[int, int] | None = None
        # Opened before the program drops its privileges.
        self._opened = _open_files(environ)
        self._originals: list[tuple[type, Any, Any]] = []
        self._held = False

    def wrap(self) -> None:
        """Wrap both constructors."""
        import psycopg_pool

        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
            original = cls.__dict__["__init__"]
            wrapper = self._wrapper(original)
            functools.update_wrapper(wrapper, original)
            wrapper.__defaults__, wrapper.__kwdefaults__ = original.__defaults__, original.__kwdefaults__
            wrapper.__signature__ = inspect.signature(original)
            cls.__init__ = wrapper  # type: ignore[method-assign]
            self._originals.append((cls, original, wrapper))
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork
            )
        # These have work to do before there is a pool: a signal, a file, the application's provider.
        outputs = self.environ.get("POOLWITNESS_OUTPUT", "").split(",")
        wanted = self.environ.get("POOLWITNESS_SIGNAL") or self.environ.get("POOLWITNESS_BLACKBOX")
        if wanted or "otel" in map(str.strip, outputs):
            self.load()

    def unwrap(self) -> None:
        """Put the constructors back, and load nothing any more."""
        self.off = True
        self.pools = None
        while self._originals:
            cls, original, wrapper = self._originals.pop()
            if cls.__dict__.get("__init__") is wrapper:
                cls.__init__ = original  # type: ignore[misc]

    def _wrapper(self, original: Any) -> Any:
        first_pool, getframe = self, sys._getframe

        def __init__(*args: Any, **kwargs: Any) -> None:
            pool = args[0] if args else kwargs.get("self")
            tracked = None
            patches = first_pool.pools or first_pool.load()
            if patches is not None and patches.guard.enabled:
                with patches.guard:
                    tracked = patches.creating(pool, getframe().f_back)
            try:
                original(*args, **kwargs)
            except BaseException:
                if tracked is not None and patches is not None:
                    with patches.guard:
                        patches.creation_failed(pool)
                raise
            if tracked is not None and patches is not None:
                with patches.guard:
                    patches.created(pool, tracked, kwargs.get("open"))

        return __init__

    def load(self) -> PoolPatches | None:
        """Load the agent; None if it cannot be loaded, or not from here, and the pool goes on unobserved.

        Raises:
            Exception: one of the program's that landed here; the load is tried again with the next pool.
        """
        if self.pools is not None or self.off or sys.is_finalizing():
            return self.pools
        ident, pid = threading.get_ident(), os.getpid()
        if self._loading is not None:
            if self._loading[1] != pid:
                # A fork from C, or from the thread that was loading: it will never end here.
                self._give_up("was forked while its parent was loading the agent")
                return None
            if self._loading[0] == ident:  # a signal handler of the program's, in the middle of it
                return None
        if not self._lock.acquire(timeout=PATIENCE_S):
            complain("another thread is still loading the agent, so this pool is not watched; the program runs on")
            return None
        try:
            if self.pools is None and not self.off:
                self._loading = ident, pid
                self.pools = self._load()
        finally:
            self._loading = None
            self._lock.release()
        return self.pools

    def _load(self) -> PoolPatches | None:
        try:
            from poolwitness import agent

            return agent.start(self.environ, self.how, self._opened, _sigterm_state).install()
        except BaseException as error:
            loaded = sys.modules.get("poolwitness.agent")
            if loaded is not None and hasattr(loaded, "stop"):
                loaded.stop()
            if not is_ours(error):
                raise
            if not isinstance(error, (RecursionError, MemoryError)):  # the program's own is at its end
                hint = ADVICE if isinstance(error, (ImportError, OSError)) else ""
                self._give_up(f"could not load the agent ({type(error).__name__})", hint)
        return None

    def _give_up(self, why: str, advice: str = "") -> None:
        self.off = True
        self._loading = None
        complain(f"this process {why}, so the agent is off in it; the program runs on without it{advice}")

    def _before_fork(self) -> None:
        self._held = False if self.off else self._lock.acquire(timeout=FORK_PATIENCE_S)

    def _after_fork(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()


_first_pool: FirstPool | None = None


def wrap_constructors(environ: Mapping[str, str], how: str) -> None:
    """Prepare for the first pool of this process; psycopg_pool was imported. Arguments as of `FirstPool`."""
    global _first_pool
    if _first_pool is None:
        _first_pool = FirstPool(environ, how)
        _first_pool.wrap()


def unwrap_constructors() -> None:
    """Leave psycopg_pool as it was found."""
    global _first_pool
    if _first_pool is not None:
        _first_pool.unwrap()
        _first_pool = None


def load() -> bool:
    """Load the agent now, although there is no pool yet; whether it is loaded."""
    return _first_pool is not None and _first_pool.load() is not None


def _sigterm_state() -> str:
    sigterm = sys.modules.get("poolwitness.boot.sigterm")
    return sigterm.state() if sigterm is not None else "0"


def _open_files(environ: Mapping[str, str]) -> dict[str, int]:
    """The descriptors of the files to write to, by their paths; one that cannot be opened is tried again later."""
    outputs = [word.strip() for word in environ.get("POOLWITNESS_OUTPUT", "").split(",")]
    paths = [word[len("file:") :] for word in outputs if word.startswith("file:")]
    check_dir = environ.get("POOLWITNESS_CHECK_DIR", "").strip()
    if check_dir:
        paths.append(os.path.join(check_dir, CHECK_FILE))
    opened = {}
    for path in paths:
        try:
            opened[path] = open_file(path)
        except (OSError, ValueError):
            continue
    return opened
