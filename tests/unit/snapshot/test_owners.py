"""Who keeps an object alive: the path is short and true, shows no value, and runs none of the program's code."""

from __future__ import annotations

import asyncio
import functools
import gc
import re
import sys
import threading
import time
import types
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import pytest

from poolwitness.snapshot.owners import BUDGET_S, LONGEST, owners_of

pytestmark = pytest.mark.matrix_once

# These tests are about what is found; what it may cost is asked at the end.
PATIENCE_S = 20.0
HERE = __name__


class Database:
    """What is looked for."""


class Store:
    """Something with an attribute."""

    shared: Any = None

    def __init__(self, conn: Any) -> None:
        self.conn = conn

    def fetch(self) -> Any:
        return self.conn


class Slotted:
    __slots__ = ("conn", "empty")

    def __init__(self, conn: Any) -> None:
        self.conn = conn


kept: Any = None


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    globals()["kept"] = Store.shared = None
    get_store.cache_clear()


@functools.lru_cache
def get_store() -> Store:
    return Store(Database())


def path_to(ref: Callable[[], Any], budget_s: float = PATIENCE_S) -> str:
    """The path to what a weak reference leads to; nothing here holds it."""
    found = owners_of([ref()], budget_s).get(id(ref()), "")
    # Python 3.10 has a frame object for whatever is suspended.
    return re.sub(r" ?\.(gi|cr|ag)_frame \(frame\)$", "", found)


def keep(make: Callable[[Any], Any]) -> Callable[[], Any]:
    """Put something that holds a target into this module's global ``kept``."""
    global kept
    target = Database()
    kept = make(target)
    return weakref.ref(target)


def test_a_global() -> None:
    assert path_to(keep(lambda target: target)) == f"{HERE}.kept"


def test_an_attribute() -> None:
    assert path_to(keep(Store)) == f"{HERE}.kept (Store) .conn"


def test_attributes_of_attributes() -> None:
    assert path_to(keep(lambda target: Store(Store(target)))) == f"{HERE}.kept (Store) .conn (Store) .conn"


def test_a_slot() -> None:
    assert path_to(keep(Slotted)) == f"{HERE}.kept (Slotted) .conn"


def test_a_class_attribute() -> None:
    Store.shared = Database()
    ref = weakref.ref(Store.shared)
    assert path_to(ref) == f"{HERE}.Store (type) .shared"


def test_containers_have_no_names() -> None:
    assert path_to(keep(lambda target: {"a": [(target,)]})) == f"{HERE}.kept[...][...][...]"


def test_a_bound_method() -> None:
    assert path_to(keep(lambda target: Store(target).fetch)) == f"{HERE}.kept.__self__ (Store) .conn"


def test_a_closure() -> None:
    def make(target: Any) -> Callable[[], Any]:
        return lambda: target

    assert path_to(keep(make)) == f"{HERE}.kept <closure>.target"


def test_a_cache() -> None:
    get_store()
    ref = weakref.ref(get_store().conn)
    assert path_to(ref) == f"{HERE}.get_store (_lru_cache_wrapper)  (Store) .conn"


def test_a_paused_generator() -> None:
    def stream(target: Any) -> Iterator[int]:
        yield 1
        print(target)  # noqa: T201 - keeps it

    def make(target: Any) -> Iterator[int]:
        paused = stream(target)
        next(paused)
        return paused

    assert path_to(keep(make)) == f"{HERE}.kept (generator stream())"


def frame_path(frame: str, name: str) -> str:
    """What a local of a running frame is called: its name on 3.13, the frame alone on 3.10, nothing between."""
    if sys.version_info >= (3, 13):
        return frame + name
    return "" if sys.version_info >= (3, 11) else frame


def test_a_frame_that_runs() -> None:
    found: list[str] = []

    def serve() -> None:
        conn = Database()
        found.append(path_to(weakref.ref(conn)))

    serve()
    assert found == [frame_path("serve()", ".conn")]


def test_a_thread_that_waits() -> None:
    refs: list[Callable[[], Any]] = []
    ready, done = threading.Event(), threading.Event()

    def serve_in_thread() -> None:
        conn = Database()
        refs.append(weakref.ref(conn))
        ready.set()
        done.wait()

    thread = threading.Thread(target=serve_in_thread)
    thread.start()
    ready.wait()
    try:
        assert path_to(refs[0]) == frame_path("serve_in_thread()", ".conn")
    finally:
        done.set()
        thread.join()


def test_to_ask_a_frame_keeps_nothing() -> None:
    """Before Python 3.13 a frame keeps the dict of its locals that somebody asked for."""
    refs: list[Callable[[], Any]] = []
    steps = [threading.Event() for _ in range(2)]

    def serve_in_thread() -> None:
        conn: Any = Database()
        refs.append(weakref.ref(conn))
        steps[0].set()
        steps[1].wait()
        del conn
        gc.collect()
        refs.append(lambda: None if refs[0]() is None else "still alive")

    thread = threading.Thread(target=serve_in_thread)
    thread.start()
    try:
        steps[0].wait()
        path_to(refs[0])
    finally:
        steps[1].set()
        thread.join()
    assert refs[1]() is None


def test_a_task() -> None:
    async def serve(ready: asyncio.Event, done: asyncio.Event, refs: list[Callable[[], Any]]) -> None:
        conn = Database()
        refs.append(weakref.ref(conn))
        ready.set()
        await done.wait()
        del conn

    async def main() -> str:
        ready, done = asyncio.Event(), asyncio.Event()
        refs: list[Callable[[], Any]] = []
        task = asyncio.create_task(serve(ready, done, refs), name="server-1")
        await ready.wait()
        found = path_to(refs[0])
        done.set()
        await task
        return found

    assert asyncio.run(main()) == "task server-1"


def test_an_async_generator() -> None:
    async def stream(target: Any) -> AsyncIterator[int]:
        yield 1
        print(target)  # noqa: T201 - keeps it

    async def main() -> str:
        def make(target: Any) -> AsyncIterator[int]:
            return stream(target)

        ref = keep(make)
        await kept.__anext__()
        found = path_to(ref)
        await kept.aclose()
        return found

    assert asyncio.run(main()) == f"{HERE}.kept (async_generator stream())"


def test_several_at_once_and_the_shortest() -> None:
    first, second = Database(), Database()
    globals()["kept"] = {"first": Store(first), "second": second}
    refs = [weakref.ref(first), weakref.ref(second)]
    del first, second
    found = owners_of([ref() for ref in refs], PATIENCE_S)
    assert [found[id(ref())] for ref in refs] == [f"{HERE}.kept[...] (Store) .conn", f"{HERE}.kept[...]"]


def test_silent_where_nobody_is_found() -> None:
    class Loner:
        def __init__(self) -> None:
            self.me = self

    ref = weakref.ref(Loner())
    assert ref() is not None
    assert path_to(ref) == ""
    assert owners_of([], PATIENCE_S) == {}


def test_no_value_is_shown() -> None:
    secret = "so secret 0815"

    class Vault:
        def __repr__(self) -> str:
            return secret

        def __init__(self, target: Any) -> None:
            self.__dict__[secret.upper()] = 1
            self.doors = {secret: {(secret, 7): target}}
            self.password = secret

    path = path_to(keep(Vault))
    assert path == f"{HERE}.kept (Vault) .doors[...][...]"


def test_a_path_is_bounded() -> None:
    def wrap(target: Any) -> Any:
        for number in range(9):
            target = Long(target, number)
        return target

    path = path_to(keep(wrap))
    assert path.startswith(f"{HERE}.kept (Long)")
    assert len(path) <= LONGEST


class Long:
    def __init__(self, target: Any, number: int) -> None:
        setattr(self, "attribute_with_a_rather_long_name_" + "x" * number, target)


class Trap:
    """Whatever it is asked, it is the program's code that runs."""

    asked: ClassVar[list[str]] = []

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "inside", target)

    def __getattribute__(self, name: str) -> Any:
        Trap.asked.append(name)
        raise RuntimeError(name)

    def __hash__(self) -> int:
        Trap.asked.append("hash")
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        Trap.asked.append("eq")
        raise RuntimeError

    def __repr__(self) -> str:
        Trap.asked.append("repr")
        raise RuntimeError

    def __len__(self) -> int:
        Trap.asked.append("len")
        raise RuntimeError

    def __bool__(self) -> bool:
        Trap.asked.append("bool")
        raise RuntimeError

    def __iter__(self) -> Iterator[Any]:
        Trap.asked.append("iter")
        raise RuntimeError

    @property
    def __class__(self) -> Any:
        Trap.asked.append("class")
        raise RuntimeError

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError


class OwnDict:
    """As werkzeug's LocalProxy: its ``__dict__`` is a property of its own."""

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "inside", target)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        Trap.asked.append("dict")
        raise RuntimeError("working outside of request context")


class Meta(type):
    """A class whose class runs code when it is looked at."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        Trap.asked.append("module")
        raise RuntimeError

    def __hash__(cls) -> int:
        Trap.asked.append("hash of a class")
        raise RuntimeError

    def __instancecheck__(cls, instance: object) -> bool:
        Trap.asked.append("instancecheck")
        raise RuntimeError

    def __subclasscheck__(cls, subclass: type) -> bool:
        Trap.asked.append("subclasscheck")
        raise RuntimeError


class OfMeta(metaclass=Meta):
    def __init__(self, target: Any) -> None:
        self.inside = target


class CountingList(list[Any]):
    def __len__(self) -> int:
        Trap.asked.append("len of a list")
        raise RuntimeError

    def __iter__(self) -> Iterator[Any]:
        Trap.asked.append("iter of a list")
        raise RuntimeError


class CountingDict(dict[Any, Any]):
    def items(self) -> Any:
        Trap.asked.append("items of a dict")
        raise RuntimeError

    def __len__(self) -> int:
        Trap.asked.append("len of a dict")
        raise RuntimeError


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (Trap, " (Trap) .inside"),
        (OwnDict, " (OwnDict)" if sys.version_info >= (3, 11) else " (OwnDict) [...]"),
        (OfMeta, " (OfMeta) .inside"),
        (lambda target: CountingList([target]), "[...]"),
        (lambda target: CountingDict(a=target), "[...]"),
    ],
)
def test_none_of_the_programs_code_runs(make: Callable[[Any], Any], path: str) -> None:
    ref = keep(make)
    Trap.asked.clear()
    found = path_to(ref)
    assert Trap.asked == []
    assert found == f"{HERE}.kept{path}"


class LazyModule(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        Trap.asked.append(f"module's {name}")
        raise RuntimeError


def test_strange_modules_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = keep(Store)
    monkeypatch.setitem(sys.modules, "a_trap", Trap(None))
    monkeypatch.setitem(sys.modules, "a_lazy_one", LazyModule("a_lazy_one"))
    Trap.asked.clear()
    found = path_to(ref)
    asked = list(Trap.asked)
    assert asked == []
    assert found == f"{HERE}.kept (Store) .conn"


def test_nothing_is_kept() -> None:
    ref = keep(Store)
    path_to(ref)
    globals()["kept"] = None
    assert ref() is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: [float(number) for number in range(2_000_000)],
        lambda: dict.fromkeys(range(1_000_000)),
        lambda: [[] for _ in range(15_000)],
        lambda: [[[] for _ in range(1000)] for _ in range(1000)],
    ],
)
def test_the_time_is_bounded(make: Callable[[], Any]) -> None:
    """Data, however much: the walk ends when its time is up; a busy machine may stretch it."""
    ref = weakref.ref(Store(None))
    data = make()
    globals()["kept"] = data
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        owners_of([ref, data], BUDGET_S)
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 2 * BUDGET_S
