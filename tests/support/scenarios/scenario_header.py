"""Read the header of a scenario: its docstring's last paragraph, one ``key: value`` a line.

expect: PW001 at made                                  a finding at the line marked ``# mark: made``
expect: 3 x PW002 at made or other                     three of them, at one of these lines
expect: PW003 at made  [python>=3.13, pool>=3.2]       on these versions only
expect: PW103 at taken, resolved                       found, and taken back before the verdict
expect: clean                                          a verdict, and no finding
expect: no verdict                                     the process cannot say goodbye
expect: silence                                        not a line from the agent
only: pool>=3.2                                        other versions do not run it
status: 3                                              the exit status, 0 by default, -n for a signal
argv: --limit 2                                        the program's arguments
env: POOLWITNESS_CLOSE=1                               an environment variable
signal: SIGINT                                         sent when the program prints READY
order: any                                             its own lines on stderr come in the collector's order
"""

from __future__ import annotations

import ast
import re
import shlex
import signal
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from platform import python_version

from packaging.specifiers import InvalidSpecifier, SpecifierSet

OUTCOMES = ("clean", "no verdict", "silence")
_KEYS = ("expect", "only", "status", "argv", "env", "signal", "order")
_FINDING = re.compile(
    r"(?:(?P<count>[1-9]\d*) x )?(?P<code>PW\d{3}) at (?P<marks>\w+(?: or \w+)*)(?P<resolved>, resolved)?"
    r"(?:\s+\[(?P<conditions>[^\]]+)\])?"
)
_MARK = re.compile(r"# mark: (\w+)$")
_CONDITION = re.compile(r"(?P<what>python|pool)(?P<specifier>[<>=!].+)")


class HeaderError(Exception):
    """A header, or a mark, is wrong: the sentence names the file."""


@dataclass(frozen=True)
class Condition:
    """``python>=3.13``: a component and the releases of it that are meant."""

    what: str
    releases: SpecifierSet

    @property
    def holds(self) -> bool:
        """Whether the installed release is one of them."""
        installed = python_version() if self.what == "python" else metadata.version("psycopg-pool")
        return self.releases.contains(installed, prereleases=True)


@dataclass(frozen=True)
class Expectation:
    """A finding that must be there, *count* times, at a line with one of *marks*; taken back, where *resolved*."""

    count: int
    code: str
    marks: tuple[str, ...]
    conditions: tuple[Condition, ...]
    resolved: bool = False

    @property
    def applies(self) -> bool:
        """Whether it is expected on the installed releases."""
        return all(condition.holds for condition in self.conditions)


@dataclass(frozen=True)
class Header:
    """What a scenario says of itself."""

    sentence: str
    outcome: str
    expectations: tuple[Expectation, ...]
    marks: dict[str, tuple[Path, int]]
    only: tuple[Condition, ...] = ()
    status: int = 0
    argv: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    signal: signal.Signals | None = None
    any_order: bool = False

    @property
    def runs_here(self) -> bool:
        """Whether the installed releases are among those that it is for."""
        return all(condition.holds for condition in self.only)

    def expected(self, code: str) -> int:
        """How many findings of one rule are expected on the installed releases."""
        return sum(each.count for each in self.expectations if each.code == code and each.applies)


def read_header(program: Path, files: list[Path]) -> Header:
    """Read and check the header of a scenario.

    Args:
        program: the file that is run.
        files: every file whose lines may be marked, the program among them.

    Raises:
        HeaderError: an unknown key, a malformed value, a mark that is missing, ambiguous or never used.
    """
    try:
        header = _Reader(program, files).read()
    except (InvalidSpecifier, ValueError, KeyError) as error:
        raise HeaderError(f"{program}: {error}") from error
    return header


class _Reader:
    def __init__(self, program: Path, files: list[Path]) -> None:
        self.program = program
        self.marks = self._marks(files)
        self.lines: list[tuple[str, str]] = []

    def read(self) -> Header:
        docstring = ast.get_docstring(ast.parse(self.program.read_text(encoding="utf-8")))
        if not docstring or "\n\n" not in docstring:
            raise HeaderError(f"{self.program}: the docstring is not a sentence, an empty line and 'expect:'")
        prose, _, machine = docstring.rpartition("\n\n")
        self.lines = [self._line(line) for line in machine.splitlines()]
        outcome, expectations = self._expect()
        number = self._one("signal")
        return Header(
            sentence=" ".join(prose.partition("\n\n")[0].split()),
            outcome=outcome,
            expectations=expectations,
            marks=self.marks,
            only=_conditions(self._one("only")),
            status=int(self._one("status") or 0),
            argv=tuple(shlex.split(self._one("argv"))),
            env=dict(self._variable(value) for key, value in self.lines if key == "env"),
            signal=signal.Signals[number] if number else None,
            any_order=self._one("order") == "any",
        )

    def _line(self, line: str) -> tuple[str, str]:
        key, separator, value = line.partition(": ")
        if key not in _KEYS or not separator or not value.strip():
            raise HeaderError(f"{self.program}: {line!r} is not one of {', '.join(_KEYS)} with a value")
        return key, value.strip()

    def _one(self, key: str) -> str:
        values = [value for name, value in self.lines if name == key]
        if len(values) > 1:
            raise HeaderError(f"{self.program}: {key!r} is there {len(values)} times, once is enough")
        return values[0] if values else ""

    def _variable(self, value: str) -> tuple[str, str]:
        name, separator, content = value.partition("=")
        if not separator:
            raise HeaderError(f"{self.program}: env: {value!r} is not NAME=VALUE")
        return name, content

    def _expect(self) -> tuple[str, tuple[Expectation, ...]]:
        values = [value for key, value in self.lines if key == "expect"]
        if not values:
            raise HeaderError(f"{self.program}: no 'expect:'; say 'expect: clean' if nothing must be found")
        if values[0] in OUTCOMES:
            if len(values) > 1 or self.marks:
                raise HeaderError(f"{self.program}: 'expect: {values[0]}' stands alone, without marks")
            return values[0], ()
        expectations = tuple(self._expectation(value) for value in values)
        unused = set(self.marks) - {mark for each in expectations for mark in each.marks}
        if unused:
            raise HeaderError(f"{self.program}: nothing is expected at the mark {', '.join(sorted(unused))}")
        return "findings", expectations

    def _expectation(self, value: str) -> Expectation:
        match = _FINDING.fullmatch(value)
        if match is None:
            raise HeaderError(f"{self.program}: {value!r} is not like '2 x PW001 at made  [python>=3.13]'")
        marks = tuple(match["marks"].split(" or "))
        unknown = set(marks) - set(self.marks)
        if unknown:
            raise HeaderError(f"{self.program}: no line is marked '# mark: {', '.join(sorted(unknown))}'")
        conditions = _conditions(match["conditions"] or "")
        return Expectation(int(match["count"] or 1), match["code"], marks, conditions, bool(match["resolved"]))

    def _marks(self, files: list[Path]) -> dict[str, tuple[Path, int]]:
        marks: dict[str, tuple[Path, int]] = {}
        for file in files:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                match = _MARK.search(line)
                if match is None:
                    continue
                if match[1] in marks:
                    raise HeaderError(f"{self.program}: the mark {match[1]!r} is there twice")
                marks[match[1]] = (file, number)
        return marks


def _conditions(text: str) -> tuple[Condition, ...]:
    conditions = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f"condition {part!r} is not like python>=3.13 or pool<3.3")
        conditions.append(Condition(match["what"], SpecifierSet(match["specifier"])))
    return tuple(conditions)
