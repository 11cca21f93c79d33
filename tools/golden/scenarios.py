"""Find the scenario programs below a folder, and read from their docstrings how each is to be run."""

from __future__ import annotations

import ast
import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

_KEY = re.compile(r"(?P<key>[a-z]+): +(?P<value>.+)")
_CONDITION = re.compile(r"(?P<what>python|pool)(?P<specifier>[<>=!].+)")
_DELAYED = re.compile(r"(?:(?P<count>\d+) x )?PW003\b")


@dataclass(frozen=True)
class Scenario:
    """A program and how it is to be run.

    Attributes:
        id: ``left_open/at_module_level``.
        program: its file.
        argv: its arguments.
        env: the environment variables that it asks for.
        signal: the signal to send once it prints READY, or None.
        only: the releases that it is for, such as ``("pool", ">=3.2")``.
        import_path: folders of installed packages that it brings along.
        delays: pools that are expected to hold up its exit.
    """

    id: str
    program: Path
    argv: tuple[str, ...]
    env: Mapping[str, str]
    signal: signal.Signals | None
    only: tuple[tuple[str, SpecifierSet], ...]
    import_path: tuple[Path, ...]
    delays: int

    def runs_on(self, versions: Mapping[str, str]) -> bool:
        """Whether it is for these versions of ``python`` and ``pool``."""
        return all(releases.contains(versions[what], prereleases=True) for what, releases in self.only)


def scenario_folder(tree: Path) -> Path:
    """The folder of scenarios in a tree.

    Raises:
        FileNotFoundError: there is none.
    """
    usual = tree / "tests" / "scenarios"
    if usual.is_dir():
        return usual
    for folder in sorted((tree / "tests").rglob("scenarios")):
        if folder.is_dir() and any(_head(path) for path in folder.rglob("*.py")):
            return folder
    raise FileNotFoundError(f"no folder of scenarios below {tree / 'tests'}")


def find_scenarios(folder: Path) -> list[Scenario]:
    """All scenarios below a folder, by id: every file whose docstring ends in a paragraph with ``expect:``."""
    found = []
    for program in sorted(folder.rglob("*.py")):
        head = _head(program)
        if head:
            found.append(_scenario(folder, program, head))
    return found


def _head(program: Path) -> list[tuple[str, str]]:
    """The ``key: value`` lines of a program's docstring; empty where it is not a scenario."""
    try:
        docstring = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8")))
    except (SyntaxError, ValueError):
        return []
    matches = [_KEY.fullmatch(line.strip()) for line in (docstring or "").rpartition("\n\n")[2].splitlines()]
    lines = [(match["key"], match["value"].strip()) for match in matches if match]
    return lines if any(key.startswith("expect") for key, _ in lines) else []


def _scenario(folder: Path, program: Path, head: list[tuple[str, str]]) -> Scenario:
    own = program.parent if program.parent.name == program.stem and program.parent != folder else None
    values = {key: value for key, value in head if key != "env"}
    delays = [_DELAYED.match(value) for key, value in head if key.startswith("expect")]
    return Scenario(
        id=(own or program.with_suffix("")).relative_to(folder).as_posix(),
        program=program,
        argv=tuple(shlex.split(values.get("argv", ""))),
        env=dict(_variable(value) for key, value in head if key == "env"),
        signal=signal.Signals[values["signal"]] if "signal" in values else None,
        only=_conditions(values.get("only", "")),
        import_path=() if own is None else tuple(sorted(own.glob("site-packages"))),
        delays=sum(int(match["count"] or 1) for match in delays if match),
    )


def _variable(value: str) -> tuple[str, str]:
    name, _, content = value.partition("=")
    return name, content


def _conditions(text: str) -> tuple[tuple[str, SpecifierSet], ...]:
    conditions = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f"condition {part!r} is not like python>=3.13 or pool<3.3")
        conditions.append((match["what"], SpecifierSet(match["specifier"])))
    return tuple(conditions)
