"""Find the scenarios: a file is one, and so is a folder that holds a program of its own name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.scenarios.scenario_header import Header, HeaderError, read_header

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"


@dataclass(frozen=True)
class Scenario:
    """A program, the files that belong to it, and its header."""

    program: Path

    @property
    def id(self) -> str:
        """``left_open/at_module_level``."""
        place = self.folder if self.folder is not None else self.program.with_suffix("")
        return place.relative_to(FOLDER).as_posix()

    @property
    def folder(self) -> Path | None:
        """The folder that is this scenario alone, if it has one."""
        return self.program.parent if self.program.parent.name == self.program.stem else None

    @property
    def files(self) -> list[Path]:
        """Every Python file of the scenario."""
        return [self.program] if self.folder is None else sorted(self.folder.rglob("*.py"))

    @property
    def import_path(self) -> list[Path]:
        """The folders of installed packages that it brings along."""
        return [] if self.folder is None else sorted(self.folder.glob("site-packages"))

    @property
    def header(self) -> Header:
        """Its header.

        Raises:
            HeaderError: it has a mistake.
        """
        return _header(self)

    @property
    def seconds(self) -> float:
        """How long it is bound to take at least: 10 s for each pool whose end holds up the exit."""
        return 10.0 * self.header.expected("PW003")


@cache
def _header(scenario: Scenario) -> Header:
    return read_header(scenario.program, scenario.files)


def found_files() -> list[Path]:
    """All files in the folders of scenarios."""
    return [path for path in FOLDER.glob("*/**/*") if path.is_file() and path.suffix != ".pyc"]


def find_scenarios() -> list[Scenario]:
    """All scenarios, by name."""
    paths = found_files()
    folders = [path.parent for path in paths if path.parent.name == path.stem]
    programs = [folder / f"{folder.name}.py" for folder in folders]
    for path in paths:
        if path.suffix == ".py" and not any(folder in path.parents for folder in folders):
            programs.append(path)
    return sorted((Scenario(program) for program in programs), key=lambda scenario: scenario.id)


def some_of_each_kind(scenarios: list[Scenario]) -> list[Scenario]:
    """Two of each folder that are to find the same, one of them with asyncio where there is such a one."""
    chosen: dict[object, list[Scenario]] = {}
    for scenario in sorted(scenarios, key=lambda scenario: "asyncio" in scenario.program.read_text(encoding="utf-8")):
        try:
            found = frozenset(each.code for each in scenario.header.expectations)
            kind: object = (scenario.id.partition("/")[0], scenario.header.outcome, found, scenario.header.runs_here)
        except HeaderError:
            kind = scenario.id
        # The last one takes the second place: with asyncio, where there is one.
        chosen[kind] = [*chosen.get(kind, [])[:1], scenario]
    return [scenario for kind in chosen.values() for scenario in kind]
