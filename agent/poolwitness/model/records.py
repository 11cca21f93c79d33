"""What is known, as frozen records: the data that rules and reports work on.

Times named ``…_at`` are seconds since the epoch, ``…_mono`` seconds of the monotonic clock.
"""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than all the rest.

from typing import Any, NamedTuple

from poolwitness.model.locations import Database as Database
from poolwitness.model.locations import Frame as Frame
from poolwitness.model.locations import Stack as Stack


class WorkerRecord(NamedTuple):
    """One thread or task that a pool runs on: its workers and its scheduler.

    ``task`` is what the worker is at, for ``busy_s`` seconds now; empty where it waits for work. ``raised_at`` is the
    application's line that raised what it died of.
    """

    name: str
    role: str
    alive: bool
    native_id: int | None = None
    started_at: float | None = None
    cpu_user_s: float | None = None
    cpu_system_s: float | None = None
    state: str | None = None
    switches_voluntary: int | None = None
    switches_involuntary: int | None = None
    where: Stack | None = None
    error_type: str | None = None
    raised_at: Frame | None = None
    task: str = ""
    busy_s: float = 0.0


class UseAfterClose(NamedTuple):
    """PoolClosed, raised to the application."""

    used: Stack
    count: int  # type: ignore[assignment]  # tuple's method is not used
    while_waiting: bool = False


class Crossing(NamedTuple):
    """A pool used in another process, or on another event loop, than the one it was opened in.

    ``use`` is how: ``used``, ``waited for``, ``closed``, ``given a connection back``, ``checked`` or ``drained``;
    ``under`` is what runs the program, where that is known; the loops are named for people, and ``ended`` says that
    the first is over.
    """

    used: Stack
    use: str
    count: int  # type: ignore[assignment]  # tuple's method is not used
    under: str = ""
    opened_on: str = ""
    used_on: str = ""
    ended: bool = False


class CheckoutRecord(NamedTuple):
    """One connection between getconn and putconn.

    ``status`` is ``idle``, ``active``, ``idle in transaction``, ``in failed transaction`` or ``closed``; ``idle_s``
    is the time since it was last seen at work, as far as that was watched.
    """

    id: int
    taken: Stack
    held_s: float
    idle_s: float
    holder: str
    in_task: bool
    holder_alive: bool
    status: str
    where: Stack | None = None
    retained_by: str = ""
    suspected: bool = False
    lost: bool = False
    lost_from_open: bool = False


class CheckoutFault(NamedTuple):
    """Something wrong that happened to a checkout and is over: kept once for each pair of lines, with its count.

    ``kind`` is ``in_transaction`` or ``broken`` (how it was returned) or ``nested`` (taken beside another one).
    """

    kind: str
    taken: Stack
    at: Stack
    holder: str
    held_s: float
    count: int  # type: ignore[assignment]  # tuple's method is not used


class ConnectError(NamedTuple):
    """An error of connecting that the pool retries in silence.

    ``server_error`` is its name in `poolwitness.model.server_errors`; empty if the program's own code raised it, at the
    line ``raised_at``.
    """

    error_type: str
    sqlstate: str
    server_error: str
    count: int  # type: ignore[assignment]  # tuple's method is not used
    first_at: float
    last_at: float
    raised_at: Frame | None = None


class ConnectRecord(NamedTuple):
    """A pool's attempts to connect: seconds are averages over those that succeeded."""

    attempts: int = 0
    failures: int = 0
    failing: bool = False
    connect_s: float = 0.0
    configure_s: float = 0.0
    over_tcp: bool = False
    gssapi: bool = False
    errors: tuple[ConnectError, ...] = ()


class Exhaustion(NamedTuple):
    """An episode of refused requests, a minute of quiet apart from the next."""

    episode: int
    error_type: str
    request: Stack
    waited_s: float
    holder: str
    count: int  # type: ignore[assignment]  # tuple's method is not used
    timeout_s: float


class WaitingRequest(NamedTuple):
    """A request that waits for a connection."""

    pool_id: int
    request: Stack
    waited_s: float
    holder: str
    in_task: bool


class PoolInfo(NamedTuple):
    """What never changes about a pool: where it was created, with what arguments, and to connect to what."""

    id: int
    name: str
    cls: str
    is_async: bool
    is_null: bool
    created: Stack
    created_at: float
    created_in: str
    num_workers: int
    database: Database
    pid: int
    has_check: bool = False
    has_reset: bool = False
    django_alias: str = ""

    @property
    def short_class(self) -> str:
        """The class without its module."""
        return self.cls.rpartition(".")[2]


class PoolLife(NamedTuple):
    """How far a pool's life has come.

    ``state`` is ``new``, ``open``, ``closing``, ``closed`` or, once garbage-collected while open, ``dropped``.
    ``inherited`` says that it was opened in a process that this one was forked from.
    """

    state: str
    inherited: bool = False
    opened_at: float | None = None
    opened: Stack | None = None
    opened_in_constructor: bool = False
    open_explicit: bool = False
    open_confirmed: bool = False
    opened_by_threads: int = 0
    open_error: str = ""
    closed_at: float | None = None
    closed: Stack | None = None
    close_s: float | None = None
    retained_by: str = ""


class PoolUsage(NamedTuple):
    """The highest values that were seen of a pool since it was created."""

    peak_in_use: int = 0
    longest_wait_s: float = 0.0
    longest_held_s: float = 0.0
    longest_held: Stack | None = None


class PoolMisuse(NamedTuple):
    """What the program did with a pool that it should not do."""

    faults: tuple[CheckoutFault, ...] = ()
    adapters: tuple[tuple[Stack, int], ...] = ()
    use_after_close: UseAfterClose | None = None
    crossed_fork: Crossing | None = None
    crossed_loops: Crossing | None = None


class PoolRecord(NamedTuple):
    """One pool at one moment."""

    info: PoolInfo
    life: PoolLife
    min_size: int
    max_size: int | None
    stats: dict[str, int] = {}  # noqa: RUF012 - never changed in place
    usage: PoolUsage = PoolUsage()
    checkouts: tuple[CheckoutRecord, ...] = ()
    lost: tuple[CheckoutRecord, ...] = ()
    unaccounted: int = 0
    workers: tuple[WorkerRecord, ...] = ()
    connects: ConnectRecord = ConnectRecord()
    exhaustion: Exhaustion | None = None
    misuse: PoolMisuse = PoolMisuse()

    @property
    def most(self) -> int:
        """The largest number of connections; 0 for a null pool without a limit."""
        return self.max_size or self.min_size


class ProcessRecord(NamedTuple):
    """The process that is watched; ``greenlets`` where they pass for its threads, as under gevent."""

    pid: int
    python: tuple[int, int, int]
    versions: dict[str, tuple[int, ...]]
    threads: int = 0
    argv0: str = ""
    greenlets: bool = False


class Ending(NamedTuple):
    """The main thread is past its last line and waits, and what for.

    ``kind`` is ``threads`` (Python waits for those that are no daemons), ``tasks`` (asyncio.run has cancelled them) or
    ``loop`` (asyncio.run waits for its executor); ``quiet_s`` is how long no pool was used meanwhile; ``exception`` is
    the class of what ended the main thread, and ``raised_at`` the application's line that raised it.
    """

    kind: str
    since_mono: float
    seconds: float
    quiet_s: float
    waits_for: str
    waits_for_pool: bool = False
    where: Stack | None = None
    count: int = 1  # type: ignore[assignment]  # tuple's method is not used
    pool_id: int = 0
    exception: str = ""
    raised_at: Frame | None = None


class Moment(NamedTuple):
    """Why a snapshot is taken, and what is known of the end of the process.

    ``name`` is ``event``, ``sweep``, ``verdict`` or ``postmortem``. ``ending`` is what the program waits for at its end,
    ``killed`` says that it is about to die of a signal, ``finalizers`` whether any will run.
    """

    name: str
    ending: Ending | None = None
    killed: bool = False
    finalizers: bool = True


class Snapshot(NamedTuple):
    """An immutable copy of the ledger at one moment; see `Moment`."""

    taken_at: float
    taken_mono: float
    moment: str
    process: ProcessRecord
    pools: tuple[PoolRecord, ...]
    dropped_records: int = 0
    held_limit_s: float = 30.0
    closes_at_exit: bool = False
    ending: Ending | None = None
    killed: bool = False
    finalizers: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, for JSON."""
        return {name: _plain(each) for name, each in self._asdict().items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, dict) else value
