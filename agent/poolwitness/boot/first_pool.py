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
from collections.abc import Mapping
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any

# SCHEMA_VERSION is for `complain`: a child that C forked in the middle of a load can import nothing any more.
from poolwitness._version import SCHEMA_VERSION  # noqa: F401
from poolwitness.boot.last_resort import complain
from poolwitness.guards import is_from_signal_handler, is_ours
from poolwitness.model.startup import CHECK_FILE, OpenedFile

if TYPE_CHECKING:
    from poolwitness.observe.pools import PoolPatches

# How long another thread that creates a pool, or a fork, waits for a load to end.
PATIENCE_S = 5.0
FORK_PATIENCE_S = 10.0
# What it takes to undo a load that failed, with room to spare.
FRAMES_TO_UNDO = 60
_RUNS_ON = "the program runs on"

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
        self._lock = RLock()
        # The thread that loads, and its process.
        self._loading: tuple[int, int] | None = None
        self._modules_before: set[str] = set()
        # The threads that hold the lock for a fork.
        self._forking: list[int] = []
        # Opened before the program drops its privileges or changes its directory.
        self._files = _open_files(environ)
        self._originals: list[tuple[type, Any, Any]] = []

    def wrap(self) -> None:
        """Wrap both constructors."""
        import psycopg_pool

        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
            original = cls.__dict__["__init__"]
            wrapper = self._wrapper(original)
            functools.update_wrapper(wrapper, original)
            wrapper.__defaults__, wrapper.__kwdefaults__ = original.__defaults__, original.__kwdefaults__
            wrapper.__signature__ = inspect.signature(original)
            self._originals.append((cls, original, wrapper))
            cls.__init__ = wrapper  # type: ignore[method-assign]
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
        for file in self._files.values():
            file.close()

    def _wrapper(self, original: Any) -> Any:
        first_pool, getframe, is_finalizing, recursion = self, sys._getframe, sys.is_finalizing, RecursionError

        def __init__(*args: Any, **kwargs: Any) -> None:
            if is_finalizing():  # the names that our modules use may be gone
                original(*args, **kwargs)
                return
            pool = args[0] if args else kwargs.get("self")
            tracked = None
            try:
                patches = first_pool.pools or first_pool.load()
            except recursion as error:
                traceback = error.__traceback__
                if traceback is not None and traceback.tb_next is not None:  # one of the program's
                    raise
                patches = None  # not even the call fits on the stack
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

    # the load

    def load(self) -> PoolPatches | None:
        """Load the agent; None if it cannot be loaded, or not from here, and the pool goes on unobserved.

        Raises:
            BaseException: one of the program's that landed here; the load is tried again with the next pool.
        """
        try:
            _check_depth(FRAMES_TO_UNDO)
        except RecursionError:
            return None
        loading, pid = self._loading, os.getpid()
        if self.pools is not None or self.off or sys.is_finalizing():
            return self.pools
        if loading is not None and loading[1] != pid:
            self._give_up("was forked while its parent was loading the agent")
            return None
        if loading is not None and loading[0] == get_ident():
            complain("this pool was created by the thread that is loading the agent, so it is not watched; " + _RUNS_ON)
            return None
        try:
            try:
                if not self._lock.acquire(timeout=PATIENCE_S):
                    complain("another thread is still loading the agent, so this pool is not watched; " + _RUNS_ON)
                elif self.pools is None and not self.off:
                    self._modules_before = _own_modules()
                    self._loading = get_ident(), pid
                    self.pools = self._load(pid)
            finally:
                self._end_load()
        except BaseException:
            # Again: an exception of the program's may have landed in the line above.
            self._end_load()
            raise
        return self.pools

    def _load(self, pid: int) -> PoolPatches | None:
        tracer = getattr(getattr(sys.gettrace(), "__code__", None), "co_filename", None)
        try:
            from poolwitness import agent

            loaded = agent.start(self.environ, self.how, self._files, _sigterm_state)
            pools = loaded.install()
            if self.off:  # deactivated meanwhile
                loaded.uninstall()
                return None
        except BaseException as error:
            if _is_the_programs(error, tracer):
                raise
            if not isinstance(error, (RecursionError, MemoryError)):  # the program's own is at its end
                advice = ADVICE if isinstance(error, (ImportError, OSError)) else ""
                self._give_up(f"could not load the agent ({type(error).__name__})", advice)
            return None
        if os.getpid() != pid:
            self._give_up("was forked by the thread that was loading the agent")
            return None
        return pools

    def _end_load(self) -> None:
        # An exception may have landed right after the lock was acquired: it knows its owner, and no flag of ours does.
        if not self._lock._is_owned():  # type: ignore[attr-defined]
            return
        try:
            if self._loading is not None and self.pools is None:
                _undo_load(self._modules_before)
        finally:
            self._loading = None
            self._lock.release()

    def _give_up(self, why: str, advice: str = "") -> None:
        self.off = True
        complain(f"this process {why}, so the agent is off in it; {_RUNS_ON} without it{advice}")

    # forks

    def before_fork(self) -> None:
        """Wait for a load in another thread to end, and let none begin until the fork is done."""
        loading = self._loading
        if self.pools is not None or self.off or (loading is not None and loading[1] != os.getpid()):
            return
        if self._lock.acquire(timeout=FORK_PATIENCE_S):
            self._forking.append(get_ident())

    def after_fork(self) -> None:
        """The fork is done, or has failed; in the parent and in the child."""
        if get_ident() in self._forking:
            self._forking.remove(get_ident())
            self._lock.release()


_first_pool: FirstPool | None = None
_fork_hooks: list[bool] = []


def wrap_constructors(environ: Mapping[str, str], how: str) -> None:
    """Prepare for the first pool of this process; psycopg_pool was imported. For the arguments see `FirstPool`."""
    global _first_pool
    if _first_pool is not None:
        return
    _first_pool = FirstPool(environ, how)
    try:
        if not _fork_hooks and hasattr(os, "register_at_fork"):  # they cannot be removed
            _fork_hooks.append(True)
            os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
        _first_pool.wrap()
    except BaseException:
        unwrap_constructors()
        raise


def unwrap_constructors() -> None:
    """Leave psycopg_pool as it was found."""
    global _first_pool
    if _first_pool is not None:
        _first_pool.unwrap()
        _first_pool = None


def load() -> bool:
    """Load the agent now, although there is no pool yet; whether it is loaded."""
    return _first_pool is not None and _first_pool.load() is not None


def _before_fork() -> None:
    if _first_pool is not None:
        _first_pool.before_fork()


def _after_fork() -> None:
    if _first_pool is not None:
        _first_pool.after_fork()


def _undo_load(modules_before: set[str]) -> None:
    # In the middle of its import the module has no such function yet.
    stop = getattr(sys.modules.get("poolwitness.agent"), "stop", None)
    if stop is not None:
        try:
            stop()
        except Exception as error:
            if not is_ours(error):
                raise
    if "poolwitness.agent" not in sys.modules:
        # The next load imports them again: an interrupted module has made half of its changes to others.
        for name in _own_modules() - modules_before:
            sys.modules.pop(name, None)


def _own_modules() -> set[str]:
    return {name for name in list(sys.modules) if name.startswith("poolwitness.")}


def _is_the_programs(error: BaseException, tracer: str | None) -> bool:
    """Whether an exception in a load came from outside: from a signal, a trace function or another thread.

    What the program's import hooks and audit hooks raise is none of these: the load has called them, for a module that
    the program did not ask for.

    Args:
        error: as caught, with its traceback.
        tracer: the file of the trace function.
    """
    if not isinstance(error, Exception) or is_from_signal_handler(error):
        return True
    innermost = ""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == tracer:
            return True
        innermost = str(traceback.tb_frame.f_globals.get("__name__"))
        traceback = traceback.tb_next
    return innermost.partition(".")[0] == "poolwitness" and not is_ours(error)


def _check_depth(frames: int) -> None:
    """Raise RecursionError now if so many frames do not fit on the stack, before anything is half done."""
    if frames:
        _check_depth(frames - 1)


def _sigterm_state() -> str:
    sigterm = sys.modules.get("poolwitness.boot.sigterm")
    return sigterm.state() if sigterm is not None else "0"


def _open_files(environ: Mapping[str, str]) -> dict[str, OpenedFile]:
    """The files to write to, by their paths; one that cannot be opened is tried again later."""
    outputs = [word.strip() for word in environ.get("POOLWITNESS_OUTPUT", "").split(",")]
    paths = [word[len("file:") :] for word in outputs if word.startswith("file:")]
    check_dir = environ.get("POOLWITNESS_CHECK_DIR", "").strip()
    if check_dir:
        paths.append(os.path.join(check_dir, CHECK_FILE))
    opened = {}
    for path in paths:
        try:
            opened[path] = OpenedFile(path)
        except (OSError, ValueError):
            continue
    return opened
