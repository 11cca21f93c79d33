"""Who keeps a pool or a connection alive: the shortest path from a root to it, names and types only.

One walk forward from the roots serves all targets; it uses `gc.get_referents` alone, which runs none of the
program's code, and looks at names only along a path that was found.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from types import CellType, FrameType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from poolwitness.stacks import kind_of

BUDGET_S = 0.05
DEEPEST = 12
LONGEST = 200
# Walking into these leads everywhere and explains nothing.
_OPAQUE = (str, bytes, bytearray, int, float, complex, bool, type(None))


def owners_of(targets: Sequence[Any], budget_s: float = BUDGET_S) -> dict[int, str]:
    """Find who holds each target.

    Args:
        targets: live objects; the caller's own references to them do not count.
        budget_s: seconds for all of them together.

    Returns:
        ``id(target)`` to a path such as ``shop.search.store (PGVector) .conn``; no entry where nothing was found.
    """
    wanted = {id(target) for target in targets}
    found: dict[int, str] = {}
    if not wanted:
        return found
    deadline_mono = time.monotonic() + budget_s
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
        if not steps % 64 and time.monotonic() > deadline_mono:
            break
        parent, depth = queue.popleft()
        for child in gc.get_referents(parent):
            key = id(child)
            if key in seen or key in ours or _is(child, _OPAQUE):
                continue
            seen[key] = (child, id(parent))
            if key in wanted:
                wanted.discard(key)
                found[key] = _spell(key, seen)
            elif depth < DEEPEST and not _is_foreign(child):
                queue.append((child, depth + 1))
    return found


def _roots() -> Iterator[tuple[str, Any]]:
    """The application's modules, then the frames that run, then installed modules: what people look at first."""
    application: list[tuple[str, Any]] = []
    installed: list[tuple[str, Any]] = []
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType):
            continue
        spelled = ModuleType.__getattribute__(module, "__dict__")
        file = spelled.get("__file__")
        kind = kind_of(file) if isinstance(file, str) else "application" if name == "__main__" else "stdlib"
        if kind == "application":
            application.append((name, spelled))
        elif kind == "installed" and not name.startswith(("structlog", "psutil")):
            installed.append((name, spelled))
    yield from application
    me = sys._getframe(0)
    for frame in list(sys._current_frames().values()):
        current: FrameType | None = frame
        while current is not None:
            if current is not me and kind_of(current.f_code.co_filename) in ("application", "installed"):
                yield f"{current.f_code.co_name}()", current
            current = current.f_back
    yield from _task_roots()
    yield from installed


def _task_roots() -> Iterator[tuple[str, Any]]:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no running loop
        return
    for task in tasks:
        coroutine = task.get_coro()
        if coroutine is not None:
            yield f"task {task.get_name()[:40]}", coroutine


def _is(child: Any, kinds: tuple[type, ...]) -> bool:
    # isinstance() would ask a proxy for its __class__, and that is the program's code.
    return issubclass(type(child), kinds)


def _module_of(cls: type) -> str:
    module = type.__getattribute__(cls, "__module__")
    return module if isinstance(module, str) else ""


def _is_foreign(child: Any) -> bool:
    """Whether a walk through this object would leave what the path is about."""
    if _is(child, (ModuleType,)):
        return True
    if _is(child, (FunctionType,)):
        return kind_of(child.__code__.co_filename) in ("agent", "stdlib", "psycopg")
    if _is(child, (type,)):
        return _module_of(child).partition(".")[0] in ("builtins", "psycopg", "psycopg_pool", "poolwitness")
    return _module_of(type(child)).partition(".")[0] == "poolwitness"


def _spell(key: int, seen: dict[int, tuple[Any, int | str]]) -> str:
    chain: list[Any] = []
    link: int | str = key
    while isinstance(link, int):
        item, link = seen[link]
        chain.append(item)
    chain.reverse()
    text = link
    # A module's own dict is a root; an object's is known by who it belongs to.
    names = {id(chain[0])}
    for parent, child in itertools.pairwise(chain):
        if _is(child, (dict,)) and (_is(parent, (type,)) or _namespace(parent) is child):
            names.add(id(child))
            continue
        name = _name_in(parent, child, id(parent) in names)
        plain = _is(child, (dict, list, tuple, set, frozenset, FunctionType, MethodType, CellType))
        text += name if plain or id(child) == key else f"{name} ({_name_of(type(child))}) "
    return text.strip()[:LONGEST]


def _name_of(cls: type) -> str:
    return str(type.__dict__["__name__"].__get__(cls))[:60]


def _namespace(parent: Any) -> Any:
    try:
        return object.__getattribute__(parent, "__dict__")
    except AttributeError:
        return None


def _name_in(parent: Any, child: Any, is_namespace: bool) -> str:
    if _is(parent, (dict,)):
        if not is_namespace:
            return "[...]"  # a key of the program's may be a value
        return next((f".{key}" for key, value in list(dict.items(parent)) if value is child and type(key) is str), "")
    if _is(parent, (FrameType,)):
        return next((f".{key}" for key, value in list(parent.f_locals.items()) if value is child), "")
    if _is(parent, (list, tuple, set, frozenset)):
        return "[...]"
    if _is(parent, (FunctionType,)):
        return "<closure>"
    if _is(parent, (MethodType,)):
        return ".__self__"
    attributes = _namespace(parent)
    if _is(attributes, (dict, MappingProxyType)):
        return next((f".{key}" for key, value in list(attributes.items()) if value is child and type(key) is str), "")
    return ""
