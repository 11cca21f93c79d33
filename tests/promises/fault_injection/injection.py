"""Find every function of the agent, and replace one by a function that raises, as its module is imported.

Functions inside functions cannot be replaced from outside: those are the wrappers around the host's own calls.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

PACKAGE = "poolwitness"
# Not in a program's process, or not called by anything but the program itself.
ELSEWHERE = ("cli", "site", "__main__", "pytest_plugin")


def functions() -> Iterator[tuple[str, str, int, bool]]:
    """Every function and method of the agent.

    Yields:
        Its module, its qualified name, its first line (its decorators' included), and whether all that it does is
        inside one ``try`` or one ``with guard``.
    """
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.submodule_search_locations
    root = Path(next(iter(spec.submodule_search_locations)))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[0] in ELSEWHERE:
            continue
        names = parts[:-1] if parts[-1] == "__init__" else parts
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, line, contained in _within(tree, ""):
            yield ".".join((PACKAGE, *names)), name, line, contained


def _within(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, int, bool]]:
    for inner in node.body:
        if isinstance(inner, ast.ClassDef) and not any(ast.unparse(base) == "Protocol" for base in inner.bases):
            yield from _within(inner, f"{prefix}{inner.name}.")
        elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([inner.lineno, *(decorator.lineno for decorator in inner.decorator_list)])
            yield f"{prefix}{inner.name}", first, _is_contained(inner)


def _is_contained(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    # Around it may stand a constant that is assigned, and what is returned.
    while body and isinstance(body[0], ast.Assign) and _is_constant(body[0].value):
        body = body[1:]
    if len(body) == 2 and isinstance(body[1], ast.Return) and isinstance(body[1].value, (ast.Constant, ast.Name)):
        body = body[:1]
    if len(body) != 1:
        return False
    only = body[0]
    if isinstance(only, ast.If) and len(only.body) == 1 and "guard.enabled" in ast.unparse(only.test):
        only = only.body[0]
    if isinstance(only, ast.Try):
        caught = {ast.unparse(handler.type) for handler in only.handlers if handler.type is not None}
        return bool(caught & {"Exception", "BaseException"}) and not only.orelse and not only.finalbody
    if not isinstance(only, ast.With):
        return False
    guard = ast.unparse(only.items[0].context_expr).removeprefix("self.")
    return guard == "guard" or guard.startswith(("guards.", "Guard("))


def _is_constant(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) or (
        isinstance(value, ast.Tuple) and all(isinstance(element, ast.Constant) for element in value.elts)
    )


def target(module: str, name: str) -> str:
    """How a function is named on the command line and in the reports."""
    return f"{module}:{name}"


def inject(where: str, exception: type[BaseException], reached: Callable[[str], None]) -> None:
    """Have one function raise from now on, once its module is imported.

    Args:
        where: as `target` gives it.
        exception: what it raises.
        reached: called when it does.
    """
    module, name = where.split(":")
    # Of that module, as the function in whose place it is: what a guard contains depends on whose frame raised.
    namespace: dict[str, Any] = {"__name__": module, "reached": lambda: reached(where), "exception": exception}
    exec("def raiser(*_, **__):\n    reached()\n    raise exception('injected')", namespace)
    sys.meta_path.insert(0, _Replacing(module, name, namespace["raiser"]))


class _Replacing:
    def __init__(self, module: str, name: str, raiser: Callable[..., NoReturn]) -> None:
        self.module = module
        self.name = name
        self.raiser = raiser

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None and spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self.replace(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def replace(self, module: ModuleType) -> None:
        owner: Any = module
        *outer, last = self.name.split(".")
        for part in outer:
            owner = getattr(owner, part)
        raw = vars(owner)[last]
        kind = type(raw) if isinstance(raw, (classmethod, staticmethod, property)) else None
        setattr(owner, last, kind(self.raiser) if kind is not None else self.raiser)


def record(reached: Callable[[str], None]) -> None:
    """Tell each function of the agent that is called from now on, once."""
    import threading

    known = {}
    for module, name, line, _ in functions():
        spec = importlib.util.find_spec(module) if module == PACKAGE else None
        root = os.path.dirname(spec.origin) if spec is not None and spec.origin else _root()
        path = os.path.join(root, *module.split(".")[1:])
        for file in (path + ".py", os.path.join(path, "__init__.py")):
            known[file, line] = target(module, name)

    def profile(frame: Any, event: str, _: object) -> None:
        if event == "call" and known:
            found = known.pop((frame.f_code.co_filename, frame.f_code.co_firstlineno), None)
            if found is not None:
                reached(found)

    threading.setprofile(profile)
    sys.setprofile(profile)


def _root() -> str:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.origin
    return os.path.dirname(spec.origin)
