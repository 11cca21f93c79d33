"""Find the scenarios: a file is one, and so is a folder that holds a program of its own name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.scenario_harness.heads import Head, HeadError, read_head

FOLDER = Path(__file__).resolve().parent.parent / "scenarios"


@dataclass(frozen=True)
class Scenario:
    """A program, the files that belong to it, and its head."""

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
    def head(self) -> Head:
        """Its head.

        Raises:
            HeadError: it has a mistake.
        """
        return _head(self)

    @property
    def seconds(self) -> float:
        """How long it is bound to take at least: 10 s for each pool whose end holds up the exit."""
        return 10.0 * self.head.expected("PW003")


@cache
def _head(scenario: Scenario) -> Head:
    return read_head(scenario.program, scenario.files)


def find_scenarios() -> list[Scenario]:
    """All scenarios, by name."""
    folders = [path for path in FOLDER.rglob("*") if path.is_dir() and (path / f"{path.name}.py").is_file()]
    programs = [folder / f"{folder.name}.py" for folder in folders]
    for path in FOLDER.rglob("*.py"):
        if not any(folder in path.parents for folder in folders):
            programs.append(path)
    return sorted((Scenario(program) for program in programs), key=lambda scenario: scenario.id)


def some_of_each_kind(scenarios: list[Scenario]) -> list[Scenario]:
    """Two of each folder that are to find the same, one of them with asyncio where there is such a one."""
    chosen: dict[object, list[Scenario]] = {}
    for scenario in sorted(scenarios, key=lambda scenario: "asyncio" in scenario.program.read_text(encoding="utf-8")):
        try:
            found = frozenset(each.code for each in scenario.head.expectations)
            kind: object = (scenario.id.partition("/")[0], scenario.head.outcome, found, scenario.head.runs_here)
        except HeadError:
            kind = scenario.id
        # The last one takes the second place: with asyncio, where there is one.
        chosen[kind] = [*chosen.get(kind, [])[:1], scenario]
    return [scenario for kind in chosen.values() for scenario in kind]
