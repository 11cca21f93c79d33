"""Find what keeps a pool or a connection alive: the shortest path from a root to it, by names and types.

One walk from the roots serves all targets. It uses only `gc.get_referents`, which runs none of the program's code, and
looks up names only along a path that was found.
"""

from __future__ import annotations

import gc
import itertools
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from types import (
    AsyncGeneratorType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from poolwitness.guards import Guard, let_pass
from poolwitness.ledger.connections import TrackedConnection
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import current_frames
from poolwitness.model.code_owner import code_owner
from poolwitness.model.startup import clock

BUDGET_S = 0.05
MOST_TARGETS = 200
DEEPEST = 24  # an attribute is two steps where the object's dict is an object of its own
LONGEST = 200
# A larger container is data, and walking it takes long.
LARGEST = 20_000
# Walking into these leads everywhere and explains nothing.
_OPAQUE = (str, bytes, bytearray, int, float, complex, bool, type(None))


def find_owners(pools: Sequence[TrackedPool], guard: Guard) -> None:
    """Record what keeps the open pools and the checked-out connections alive."""
    own = [pool for pool in pools if not pool.inherited]
    kept: list[TrackedPool | TrackedConnection] = [pool for pool in own if pool.state == "open"]
    kept += [connection for pool in own for connection in pool.checkouts()]
    with guard:
        if not guard.enabled:
            return
        targets = {id(target): each for each in kept if (target := each.ref()) is not None}
        for key, path in owners_of([each.ref() for each in list(targets.values())[:MOST_TARGETS]]).items():
            targets[key].retained_by = path


def owners_of(targets: Sequence[Any], budget_s: float = BUDGET_S) -> dict[int, str]:
    """What keeps each target alive, apart from *targets* itself, as far as it is found within *budget_s*.

    Returns:
        ``id(target)`` to a path such as ``shop.search.store (PGVector) .conn``.
    """
    wanted = {id(target) for target in targets}
    found: dict[int, str] = {}
    if not wanted:
        return found
    deadline_mono = clock.monotonic() + budget_s
    # id -> (object, id of the parent or a root's label)
    seen: dict[int, tuple[Any, int | str]] = {}
    queue: deque[tuple[Any, int]] = deque()
    ours = {id(targets), id(seen), id(queue), id(found), id(sys._getframe(0))}
    steps = 0
    for label, root in _roots():
        if id(root) not in seen and id(root) not in ours:
            seen[id(root)] = (root, label)
            queue.append((root, 0))
    while queue and wanted:
        steps += 1
        if not steps % 64 and clock.monotonic() > deadline_mono:
            break
        parent, depth = queue.popleft()
        if _is_large(parent):
            continue
        for child in gc.get_referents(parent):
            key = id(child)
            if key in seen or key in ours or _is(child, _OPAQUE):
                continue
            seen[key] = (child, id(parent))
            if key in wanted:
                wanted.discard(key)
                found[key] = _path_to(key, seen)
            elif depth < DEEPEST and not _is_foreign(child):
                queue.append((child, depth + 1))
    return found


def _roots() -> Iterator[tuple[str, Any]]:
    """The application's modules, the frames of all threads, tasks, and then installed modules."""
    application: list[tuple[str, Any]] = []
    installed: list[tuple[str, Any]] = []
    for name, module in list(sys.modules.items()):
        if not _is(module, (ModuleType,)):
            continue
        namespace = _MODULE_DICT.__get__(module)
        file = namespace.get("__file__")
        kind = code_owner(file) if isinstance(file, str) else "application" if name == "__main__" else "stdlib"
        if kind == "application":
            application.append((name, namespace))
        elif kind == "installed" and not name.startswith(("structlog", "psutil")):
            installed.append((name, namespace))
    yield from application
    me = sys._getframe(0)
    for frame in list(current_frames().values()):
        current: FrameType | None = frame
        while current is not None:
            if current is not me and code_owner(current.f_code.co_filename) in ("application", "installed"):
                yield f"{current.f_code.co_name}()", _locals_of(current)
            current = current.f_back
    yield from _task_roots()
    yield from installed


def _locals_of(frame: FrameType) -> Any:
    # Before Python 3.13 a frame keeps the dict of its locals once it was asked for, and everything in it.
    if _LOCALS_ARE_A_VIEW and frame.f_code.co_flags & _CO_OPTIMIZED:
        return dict(frame.f_locals)
    return frame  # whose locals are among its referents on Python 3.10


def _task_roots() -> Iterator[tuple[str, Any]]:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError as error:  # no running loop
        let_pass(error)
        return
    for task in tasks:
        coroutine = task.get_coro()
        if coroutine is not None:
            yield f"task {task.get_name()[:40]}", coroutine


def _is(child: Any, kinds: tuple[type, ...]) -> bool:
    # isinstance() would ask a proxy for its __class__, which is the program's code.
    return issubclass(type(child), kinds)


def _module_of(cls: type) -> str:
    module = _CLASS_MODULE.__get__(cls)
    return str.__str__(module) if _is(module, (str,)) else ""


def _is_large(parent: Any) -> bool:
    if not _is(parent, _SIZED):
        return False
    return bool(next(kind.__len__(parent) for kind in _SIZED if _is(parent, (kind,))) > LARGEST)


def _is_foreign(child: Any) -> bool:
    """Whether a path through this object explains nothing."""
    if _is(child, (ModuleType,)):
        return True
    if _is(child, (FunctionType,)):
        return code_owner(child.__code__.co_filename) in ("agent", "stdlib", "psycopg")
    if _is(child, (type,)):
        return _module_of(child).partition(".")[0] in ("builtins", "psycopg", "psycopg_pool", "poolwitness")
    return _module_of(type(child)).partition(".")[0] == "poolwitness"


_MODULE_DICT: Any = vars(ModuleType)["__dict__"]
_CLASS_MODULE: Any = type.__dict__["__module__"]
_CLASS_DICT: Any = type.__dict__["__dict__"]
_CLASS_MRO: Any = type.__dict__["__mro__"]
_CLASS_NAME: Any = type.__dict__["__name__"]
_SIZED: tuple[Any, ...] = (list, tuple, dict, set, frozenset, deque)
_LOCALS_ARE_A_VIEW = sys.version_info >= (3, 13)  # PEP 667
_CO_OPTIMIZED = 0x1  # inspect's; a module's frame has no dict of its own


def _path_to(key: int, seen: dict[int, tuple[Any, int | str]]) -> str:
    chain: list[Any] = []
    link: int | str = key
    while isinstance(link, int):
        item, link = seen[link]
        chain.append(item)
    chain.reverse()
    text = link
    # A module's dict is a root; an object's dict is named after the object.
    names = {id(chain[0])}
    function: Any = None
    for parent, child in itertools.pairwise(chain):
        if _is(child, (dict,)) and (_is(parent, (type,)) or _namespace(parent) is child):
            names.add(id(child))
            continue
        if _is(parent, (FunctionType,)) and parent.__closure__ is child:
            function = parent
            continue
        if function is not None and _is(child, (CellType,)):
            text += f" <closure>.{_free_name(function, child)}"
            function = None
            continue
        name = _name_in(parent, child, id(parent) in names)
        plain = _is(child, (dict, list, tuple, set, frozenset, FunctionType, MethodType, CellType))
        text += name if plain or id(child) == key else f"{name} ({_description(child)}) "
    return text.strip()[:LONGEST]


def _description(child: Any) -> str:
    name = str(_CLASS_NAME.__get__(type(child)))[:60]
    if _is(child, (GeneratorType,)):
        return f"{name} {child.gi_code.co_name}()"
    if _is(child, (CoroutineType,)):
        return f"{name} {child.cr_code.co_name}()"
    return f"{name} {child.ag_code.co_name}()" if _is(child, (AsyncGeneratorType,)) else name


def _free_name(function: Any, cell: Any) -> str:
    names = function.__code__.co_freevars
    return next((name for name, known in zip(names, function.__closure__, strict=False) if known is cell), "")


def _namespace(parent: Any) -> Any:
    """An object's dict, by the interpreter's own descriptor only: a class may define ``__dict__`` itself."""
    for cls in _CLASS_MRO.__get__(type(parent)):
        found = _CLASS_DICT.__get__(cls).get("__dict__")
        if found is not None:
            return found.__get__(parent) if _is(found, (GetSetDescriptorType, MemberDescriptorType)) else None
    return None


def _slot_name(parent: Any, child: Any) -> str:
    for cls in _CLASS_MRO.__get__(type(parent)):
        for name, member in list(_CLASS_DICT.__get__(cls).items()):
            if not _is(member, (MemberDescriptorType,)):
                continue
            try:
                if member.__get__(parent) is child:
                    return f".{name}"
            except AttributeError as error:  # an empty slot
                let_pass(error)
                continue
    return ""


def _name_in(parent: Any, child: Any, is_namespace: bool) -> str:
    if _is(parent, (dict,)):
        if not is_namespace:
            return "[...]"  # a key may be a value of the program's
        return next((f".{key}" for key, value in list(dict.items(parent)) if value is child and type(key) is str), "")
    if _is(parent, (FrameType,)):
        return ""
    if _is(parent, (list, tuple, set, frozenset)):
        return "[...]"
    if _is(parent, (MethodType,)):
        return ".__self__"
    attributes = _namespace(parent)
    if _is(attributes, (dict, MappingProxyType)):
        for key, value in list(attributes.items()):
            if value is child and type(key) is str:
                return f".{key}"
    return _slot_name(parent, child)
