"""Imports go strictly down, whatever their kind: at the top, inside a function, or for the type checker alone."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_SPEC = importlib.util.find_spec("poolwitness")
assert _SPEC is not None and _SPEC.submodule_search_locations
PACKAGE = Path(next(iter(_SPEC.submodule_search_locations)))

# Lowest first. A module or package may import what stands in a lower row; neighbours do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("_version", "config", "guards", "model"),
    ("diagnose", "dump", "ledger", "report"),
    ("blackbox", "contract", "logreport", "observe", "otel", "snapshot"),
    ("runtime",),
    ("agent",),
    ("boot",),
    ("__init__", "__main__", "cli", "pytest_plugin", "site"),
)
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
# Within the lowest layer and the highest, and nowhere else, some are built on others.
WITHIN_A_LAYER = {"config": {"model"}, "guards": {"model"}, "__main__": {"cli"}, "cli": {"__init__"}}
ONLY_IN = {"psutil": "ledger.os_threads", "structlog": "report"}
NEVER_IN_A_HOST = ("cli", "contract", "logreport", "pytest_plugin")
VAGUE = {"base", "common", "core", "helper", "helpers", "lib", "misc", "shared", "tools", "util", "utils"}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name within it; a package's own module goes by the package's name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        found[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


MODULES = modules()


def imports_of(name: str) -> Iterator[str]:
    """The absolute names that a module imports, anywhere in it."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: a relative import hides what is meant"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(name: str) -> set[str]:
    """The modules of this package that a module imports, by their names within it."""
    found = set()
    for imported in imports_of(name):
        root, _, inner = imported.partition(".")
        if root == "poolwitness":
            parts = inner.split(".")
            while parts and ".".join(parts) not in MODULES:
                parts.pop()  # a name inside the module
            found.add(".".join(parts) or "__init__")
    return found - {name}


def package_of(name: str) -> str:
    """The package or loose module that has a row in LAYERS."""
    return name.partition(".")[0]


def third_party(name: str) -> set[str]:
    """The libraries that a module imports, anywhere in it."""
    roots = {root for imported in imports_of(name) if not (root := imported.partition(".")[0]).startswith("_")}
    return roots - set(sys.stdlib_module_names) - {"poolwitness"}


def test_every_module_has_a_layer() -> None:
    assert {package_of(name) for name in MODULES} <= set(LAYER_OF)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_strictly_down(name: str) -> None:
    package = package_of(name)
    upward = {
        other
        for other in own_imports(name)
        if package_of(other) != package
        and LAYER_OF[package_of(other)] >= LAYER_OF[package]
        and package_of(other) not in WITHIN_A_LAYER.get(package, ())
    }
    assert not upward, f"{name} imports {upward}, which {package} may not know"


def test_no_import_cycle() -> None:
    graph = {name: own_imports(name) for name in MODULES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"an import cycle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("package", ["diagnose", "report"])
def test_rules_and_reports_run_without_a_pool_library(package: str) -> None:
    for name in MODULES:
        if package_of(name) == package:
            assert not {"psycopg", "psycopg_pool"} & third_party(name), name


@pytest.mark.parametrize(("library", "home"), ONLY_IN.items())
def test_each_library_is_imported_where_it_belongs(library: str, home: str) -> None:
    users = {name for name in MODULES if library in third_party(name) and package_of(name) != "cli"}
    assert users and all(name == home or name.startswith(home + ".") for name in users), users


def test_a_host_needs_no_other_library() -> None:
    used = {lib for name in MODULES if package_of(name) not in NEVER_IN_A_HOST for lib in third_party(name)}
    assert used == {"psutil", "psycopg", "psycopg_pool", "structlog"}


def test_what_is_for_commands_is_imported_by_commands_alone() -> None:
    for name in MODULES:
        if package_of(name) not in NEVER_IN_A_HOST:
            assert not {package_of(other) for other in own_imports(name)} & set(NEVER_IN_A_HOST) or name == "__main__"


def test_rule_codes_are_written_in_diagnose_alone() -> None:
    for name, tree in MODULES.items():
        if package_of(name) == "diagnose" or name == "report.fields":  # whose examples are read by people
            continue
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        }
        codes = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value not in docstrings
            and any(
                node.value[at : at + 2] == "PW" and node.value[at + 2 : at + 5].isdigit()
                for at in range(len(node.value))
            )
        ]
        assert not codes, f"{name}: {codes}"


def test_no_vague_names() -> None:
    vague = {name for name in MODULES if VAGUE & set(name.split("."))}
    assert not vague, f"{vague}: a name that says what is inside shows where to change things"
