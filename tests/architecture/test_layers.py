"""DESIGN section 2, kept true by reading the imports: who may know whom, and which library is named where."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_SPEC = importlib.util.find_spec("poolwitness")
assert _SPEC is not None and _SPEC.submodule_search_locations
PACKAGE = Path(next(iter(_SPEC.submodule_search_locations)))
# agent and cli may import everything; site/ is no package, its file is run by the interpreter.
COMPOSERS = (
    "agent",
    "announcing",
    "asking",
    "hearing",
    "inspector",
    "later",
    "looking",
    "stages",
    "teller",
    "telling",
    "telemetry",
    "verdict",
    "watching",
    "cli",
    "__main__",
    "pytest_plugin",
    "site",
)

# Room to the rooms it may import, beside itself. An entry covers everything inside it.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "__init__": ("agent", "boot", "diagnose.findings", "records"),
    "boot": ("agent", "imports", "observe.sigterm"),
    "imports": (),
    "config": ("boot",),
    "safety": (),
    "digest": (),
    "places": (),
    "records": ("places",),
    "stacks": ("places",),
    "entries": ("holders", "places", "stacks"),
    "holders": ("entries", "stacks"),
    "ledger": ("entries", "records", "stacks"),
    "observe": ("entries", "holders", "ledger", "places", "records", "safety", "stacks"),
    "blackbox": ("config", "entries", "holders", "ledger", "observe", "records", "safety", "stacks"),
    "diagnose": ("config", "digest", "records"),
    "report": ("diagnose.findings", "records"),
    "history": ("diagnose.findings", "diagnose.pages", "report.profiles"),
    "schema": ("report.kinds", "report.profiles"),
}
# A crossing that is meant, by module, with its reason.
DOORS = {
    ("report.note", "diagnose.capacity"): "the note says what PW201 says, line by line",
    ("report.note", "diagnose.connections"): "as above",
    ("imports", "boot"): "says that the agent could not start, when nothing else is loaded",
    ("report.outputs", "config"): "opens what POOLWITNESS_OUTPUT names",
    ("report.late_exit", "diagnose.lifecycle"): "renders PW003 before the finalizer that fills in its measures",
}
VAGUE_NAMES = {"base", "common", "core", "helper", "helpers", "lib", "misc", "shared", "tools", "util", "utils"}


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


def _runs_later(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    )


def imports_of(tree: ast.AST, at_import_time: bool = False) -> Iterator[str]:
    """The absolute names that a module imports: everywhere, or only those that importing it imports too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides who is meant"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif at_import_time and _runs_later(node):
            continue
        else:
            yield from imports_of(node, at_import_time)


def own_imports(name: str, at_import_time: bool = False) -> set[str]:
    """The modules of this package that a module imports, by their names within it."""
    found = set()
    for imported in imports_of(MODULES[name], at_import_time):
        if imported == "poolwitness" or not imported.startswith("poolwitness."):
            continue
        parts = imported.split(".")[1:]
        while parts and ".".join(parts) not in MODULES:
            parts.pop()  # a name inside the module
        found.add(".".join(parts) or "__init__")
    return found


def third_party(name: str) -> set[str]:
    """The libraries that a module imports, anywhere in it; what some Python has inside goes by an underscore."""
    roots = {root for imported in imports_of(MODULES[name]) if not (root := imported.partition(".")[0]).startswith("_")}
    return roots - set(sys.stdlib_module_names) - {"poolwitness"}


def within(name: str, room: str) -> bool:
    """Whether a module is a room or lies in it."""
    return name == room or name.startswith(room + ".")


def room_of(name: str) -> str:
    """The row of MAY_IMPORT that a module belongs to."""
    return name.partition(".")[0]


def test_every_room_is_known() -> None:
    assert {room_of(name) for name in MODULES} <= {*MAY_IMPORT, *COMPOSERS}


@pytest.mark.parametrize("name", [name for name in MODULES if room_of(name) in MAY_IMPORT])
def test_imports_only_what_its_room_may(name: str) -> None:
    room = room_of(name)
    allowed = (room, *MAY_IMPORT[room], *(target for source, target in DOORS if source == name))
    # The version is the one thing that anybody may ask the package itself for.
    trespassed = {other for other in own_imports(name) - {"__init__"} if not any(within(other, to) for to in allowed)}
    assert not trespassed, f"{name} imports {trespassed}, which DESIGN section 2 does not let {room} know"


@pytest.mark.parametrize(("source", "target"), DOORS)
def test_no_door_is_left_over(source: str, target: str) -> None:
    assert any(within(other, target) for other in own_imports(source)), (
        f"{source} does not use {target}: close the door"
    )


@pytest.mark.parametrize("room", ["diagnose", "report"])
def test_rules_and_reports_run_without_a_pool_library(room: str) -> None:
    for name in MODULES:
        if within(name, room):
            assert "psycopg_pool" not in third_party(name), name


def test_each_library_is_named_where_it_belongs() -> None:
    named = {library: {name for name in MODULES if library in third_party(name)} for library in ("psutil", "structlog")}
    agents = {library: {name for name in names if room_of(name) != "cli"} for library, names in named.items()}
    assert len(agents["psutil"]) == 1
    assert all(within(name, "observe") for name in agents["psutil"])
    assert agents["structlog"]
    assert all(within(name, "report") for name in agents["structlog"])


def test_no_other_library_is_needed() -> None:
    apart = ("cli", "history", "pytest_plugin")
    used = {library for name in MODULES if room_of(name) not in apart for library in third_party(name)}
    assert used == {"psutil", "psycopg", "psycopg_pool", "structlog"}


def test_what_reads_the_logs_never_loads_in_the_host() -> None:
    assert {library for name in MODULES if within(name, "history") for library in third_party(name)} == {
        "duckdb",
        "rich",
    }
    importers = {name for name in MODULES if any(within(other, "history") for other in own_imports(name))}
    assert {room_of(name) for name in importers} == {"cli", "history"}
    for name in importers:
        if room_of(name) == "cli":
            early = set(imports_of(MODULES[name], at_import_time=True))
            assert not any(found.startswith("poolwitness.history") for found in early), name


def loaded_with(*names: str) -> set[str]:
    """The modules of this package that are loaded when these are."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += own_imports(name, at_import_time=True)
    return found


def foreign_to(names: set[str]) -> set[str]:
    """The modules of others that these import, anywhere in them; those inside the interpreter have no lock to wait for."""
    nodes = [node for name in names for node in ast.walk(MODULES[name])]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    inside = {*sys.builtin_module_names, "__future__"}
    return {name for name in found - inside if name.partition(".")[0] not in ("poolwitness", "psycopg", "psycopg_pool")}


def test_what_is_loaded_later_needs_nothing_that_a_program_could_import() -> None:
    early = loaded_with("boot", "imports", "agent")
    later = loaded_with("telling") - early
    assert {"verdict", "diagnose.examine", "inspector", "report.pipeline"} <= later
    missing = foreign_to(later) - foreign_to(early)
    assert not missing, f"later.py is to import {missing}, so that a child of a fork never waits for one of them"


def test_the_door_from_site_needs_nothing() -> None:
    for name, allowed in (
        ("boot", {"atexit", "os", "sys"}),
        ("imports", {"sys"}),
        ("site.sitecustomize", {"os", "sys"}),
        ("__init__", set()),
    ):
        imported = {found.partition(".")[0] for found in imports_of(MODULES[name], at_import_time=True)}
        assert imported <= allowed, f"{name} makes every start import {imported}"


def test_no_vague_rooms() -> None:
    vague = {name for name in MODULES if VAGUE_NAMES & set(name.split("."))}
    assert not vague, f"{vague}: a name that says what is inside tells where to change things"
