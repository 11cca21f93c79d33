"""Records: the distinct outcomes of every scenario, in a file of JSON lines, and how two of them differ."""

from __future__ import annotations

import difflib
import fnmatch
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.golden.masking import Line, in_order

TEXT_FIELDS = ("message", "poolwitness.fix", "*stacktrace", "poolwitness.pool.threads")
# Numbers and lines that depend on how fast the machine was, in any scenario: whether a request had to queue, how many
# connections were out at the moments of looking, which of several checkouts was the longest.
TIMED_FIELDS = (
    "poolwitness.longest_held_at",
    "poolwitness.peak_in_use",
    "poolwitness.stats.requests_queued",
    "poolwitness.stats.*_ms",
)
_KIND = ("process", "event", "poolwitness.rule")
_UNSTABLE = "<unstable>"
_DIFF_LINES = 60


@dataclass
class Outcome:
    """What one or more runs of a scenario left.

    Attributes:
        status: the exit status, negative for a signal; None where the program had to be killed.
        lines: the agent's lines, masked and in order.
    """

    status: int | None
    lines: list[Line]

    def without(self, ignored: Collection[str], unstable: Collection[tuple[str, str]] = ()) -> Outcome:
        """The outcome without some fields.

        Args:
            ignored: patterns of the fields to leave out.
            unstable: events, each with a field whose value is left out.
        """
        kept = []
        for line in self.lines:
            fields = {key: value for key, value in line.items() if not _matches(key, ignored)}
            named = _named(line)
            for kind, key in unstable:
                if kind == named:
                    fields[key] = _UNSTABLE
            kept.append(fields)
        if not unstable and not ignored:
            return self
        return Outcome(self.status, _in_order(kept))

    def spelled(self) -> list[str]:
        """The outcome as text: a field a line."""
        text = [f"exit status {'none: killed after 100 s' if self.status is None else self.status}"]
        for line in self.lines:
            text.append("")
            text.append(f"{line.get('process')} {_named(line)}")
            for key in sorted(set(line) - set(_KIND)):
                text += _field(key, line[key])
        return text


def _named(line: Line) -> str:
    return f"{line.get('event')} {line.get('poolwitness.rule', '')}".rstrip()


def _field(key: str, value: Any) -> list[str]:
    if isinstance(value, str) and "\n" in value:
        return [f"  {key}:", *(f"    {each}" for each in value.splitlines())]
    if isinstance(value, list):
        return [f"  {key}:", *(f"    {json.dumps(each, ensure_ascii=False)}" for each in value)]
    return [f"  {key}: {json.dumps(value, ensure_ascii=False)}"]


def _matches(key: str, patterns: Collection[str]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def _in_order(lines: Sequence[Line]) -> list[Line]:
    """The order of the masking."""
    own = [line for line in lines if line.get("process") == "main"]
    others = [line for line in lines if line.get("process") != "main"]
    return [*in_order(own), *in_order(others)]


@dataclass
class Record:
    """All outcomes of all scenarios of one tree under one Python."""

    about: dict[str, Any]
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def add(self, scenario: str, outcome: Outcome) -> None:
        """Keep an outcome, unless there already is one like it."""
        known = self.outcomes.setdefault(scenario, [])
        if outcome not in known:
            known.append(outcome)

    def write(self, path: Path) -> None:
        """Write it to a file."""
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"golden": 1, **self.about}) + "\n")
            for scenario, outcomes in sorted(self.outcomes.items()):
                spelled = [{"status": each.status, "lines": each.lines} for each in outcomes]
                file.write(json.dumps({"scenario": scenario, "outcomes": spelled}, ensure_ascii=False) + "\n")


def read(path: Path) -> Record:
    """Read a record from a file."""
    with path.open(encoding="utf-8") as file:
        about = json.loads(next(file))
        if about.pop("golden", None) != 1:
            raise ValueError(f"{path} is not a record of this tool")
        record = Record(about)
        for text in file:
            found = json.loads(text)
            record.outcomes[found["scenario"]] = [Outcome(**each) for each in found["outcomes"]]
    return record


@dataclass
class Comparison:
    """How the second of two records differs from the first.

    Attributes:
        same: scenarios without a new outcome.
        unstable: those that have one only in fields that varied in the first record too.
        different: those with another one, each with a diff.
        missing: scenarios of the first record that the second one lacks.
        added: scenarios of the second record that the first one lacks.
        lost: timed fields that the first record has and the second one nowhere, each with its event.
    """

    same: list[str] = field(default_factory=list)
    unstable: list[str] = field(default_factory=list)
    different: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether the second record has all of the first one and no other outcome."""
        return not (self.different or self.missing or self.lost)


def compare(
    first: Record,
    second: Record,
    ignored: Collection[str] = (),
    only: Collection[str] = ("*",),
    timed: Collection[str] = TIMED_FIELDS,
) -> Comparison:
    """Compare two records.

    Args:
        first: the one whose outcomes are right.
        second: the other.
        ignored: patterns of the fields that are not compared.
        only: patterns of the scenarios that are compared.
        timed: patterns of the fields of which only the existence is compared, over all scenarios.
    """
    result = Comparison()
    shared = []
    for scenario in sorted({*first.outcomes, *second.outcomes}):
        if not _matches(scenario, only):
            continue
        if scenario not in second.outcomes:
            result.missing.append(scenario)
        elif scenario not in first.outcomes:
            result.added.append(scenario)
        else:
            shared.append(scenario)
            _compare(scenario, first.outcomes[scenario], second.outcomes[scenario], [*ignored, *timed], result)
    before, after = (_fields(record, shared, timed) for record in (first, second))
    result.lost = sorted(f"{event} {key}" for event, key in before - after if not _matches(key, ignored))
    return result


def _fields(record: Record, scenarios: Collection[str], patterns: Collection[str]) -> set[tuple[str, str]]:
    """The fields that match, each with its event."""
    lines = (line for scenario in scenarios for outcome in record.outcomes[scenario] for line in outcome.lines)
    return {(str(line.get("event")), key) for line in lines for key in line if _matches(key, patterns)}


def _compare(
    scenario: str, known: Sequence[Outcome], seen: Sequence[Outcome], ignored: Collection[str], result: Comparison
) -> None:
    known = [each.without(ignored) for each in known]
    new = [each for each in (each.without(ignored) for each in seen) if each not in known]
    if not new:
        result.same.append(scenario)
        return
    unstable = unstable_fields(known)
    steady = [each.without((), unstable) for each in known]
    new = [each for each in (each.without((), unstable) for each in new) if each not in steady]
    if len({len(each.lines) for each in known}) > 1:
        # Which of several processes gets something to do is luck: each line must be a known one, in any number.
        lines = [line for each in steady for line in each.lines]
        states = {each.status for each in steady}
        new = [each for each in new if each.status not in states or any(line not in lines for line in each.lines)]
    if not new:
        result.unstable.append(scenario)
        return
    result.different[scenario] = _diff(steady, new)


def unstable_fields(outcomes: Sequence[Outcome]) -> set[tuple[str, str]]:
    """The fields that differ between the outcomes of one scenario, each with the event that has it."""
    kinds = {(_named(line), key) for each in outcomes for line in each.lines for key in line if key not in _KIND}
    return {kind for kind in kinds if _varies([_values(each, *kind) for each in outcomes])}


def _values(outcome: Outcome, event: str, key: str) -> list[str]:
    """The values of a field in the lines of one event; a line may lack it."""
    return sorted(json.dumps(line.get(key), sort_keys=True) for line in outcome.lines if _named(line) == event)


def _varies(values: Sequence[list[str]]) -> bool:
    if len({len(each) for each in values}) == 1:
        return any(each != values[0] for each in values)
    # Another number of lines: the field itself varies only if there are other values.
    return len({frozenset(each) for each in values if each}) > 1


def _diff(known: Sequence[Outcome], new: Sequence[Outcome]) -> list[str]:
    """The smallest difference between a known outcome and a new one."""
    diffs = [list(_lines(old, each)) for each in new for old in known]
    smallest = min(diffs, key=len)
    left_out = len(smallest) - _DIFF_LINES
    return smallest if left_out <= 0 else [*smallest[:_DIFF_LINES], f"... {left_out} more lines"]


def _lines(old: Outcome, new: Outcome) -> Iterator[str]:
    before, after = old.spelled(), new.spelled()
    heads = [index for index, line in enumerate(before) if line and not line.startswith(" ")]
    for line in list(difflib.unified_diff(before, after, "first", "second", n=1, lineterm=""))[2:]:
        if line.startswith("@@"):
            # Name the event, as a diff of source names the function.
            start = int(line.split()[1].partition(",")[0].lstrip("-"))
            above = [index for index in heads if index < max(start, 1)]
            line = f"@@ {before[above[-1]]}" if above else "@@"
        yield line
