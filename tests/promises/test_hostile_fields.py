"""Every field of every event under every profile, whatever is put there: one line of strict JSON that keeps the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poolwitness.config import PROFILES as NAMES
from poolwitness.report.events import EVENTS, EventKind
from poolwitness.report.json_lines import JsonRenderer
from poolwitness.report.open_sinks import json_renderer
from poolwitness.report.profiles import restored
from tests.support import hostile_values as values
from tests.support import samples
from tests.support.pipeline import written
from tests.support.programs import LINE_BYTES
from tests.support.validation import validate

MEGABYTE = 1_000_000


def deep(wrap: Callable[[Any], Any]) -> Any:
    """Nested far deeper than Python's own recursion goes."""
    value: Any = "x"
    for _ in range(5000):
        value = wrap(value)
    return value


def circle() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = [1]
    value.append(value)
    return value


# Made where they are used: pytest and hypothesis show what they are given.
HOSTILE: dict[str, Callable[[], Any]] = {
    "a lone surrogate": lambda: "\ud800",
    "surrogates the wrong way about": lambda: "a\udfff\ud800b" * 500,
    "NUL": lambda: "\x00",
    "NUL in the middle": lambda: "a\x00b" * 500,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus infinity": lambda: -float("inf"),
    "just too large": lambda: 2**53 + 1,
    "just too small": lambda: -(2**53) - 1,
    "past any float": lambda: 10**400,
    "of more digits than Python prints": lambda: 10**5000,
    "a float past the integers": lambda: 1e300,
    "lists in lists": lambda: deep(lambda inner: [inner]),
    "mappings in mappings": lambda: deep(lambda inner: {"x": inner}),
    "a circle": circle,
    "a megabyte": lambda: "x" * MEGABYTE,
    "a megabyte of emoji": lambda: "\U0001f600" * (MEGABYTE // 4),
    "a megabyte of lines": lambda: "\n" * MEGABYTE,
    "a megabyte of quotes": lambda: '"\\' * (MEGABYTE // 2),
    "a megabyte many times": lambda: [["x" * MEGABYTE] * 9] * 9,
    "keys that are no text": lambda: {1: {None: {b"k": "v"}, (1, 2): 3}, 2.5: float("nan"), "\ud800": 1},
    "bytes": lambda: b"\xff\x00",
    "nothing": lambda: None,
    "truth": lambda: True,
    "an empty list": list,
    "an empty mapping": dict,
    "an object": object,
    "a text that refuses": lambda: values.RefusingText("hunter2"),
    "an object that refuses": values.RefusingObject,
}


def check(name: str, line: bytes) -> None:
    """Strict JSON of at most 4,096 bytes, that holds the contract for readers."""
    assert len(line) <= LINE_BYTES
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\\u0000" not in line

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a key is there twice"
        return dict(pairs)

    found = json.loads(
        line, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"), object_pairs_hook=once
    )
    line.decode("ascii")
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # raises for a lone surrogate
    event = restored(found)
    assert event is not None
    assert event["event"] == name
    validate(event, strict=False)


def renderer(profile: str) -> JsonRenderer:
    """A profile's, of its own type."""
    render = json_renderer(profile)
    assert isinstance(render, JsonRenderer)
    return render


@pytest.mark.matrix_once
@pytest.mark.parametrize("profile", ["default", *[pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:]]])
@pytest.mark.parametrize("event", EVENTS, ids=samples.EVENTS_BY_NAME)
def test_each_hostile_value_in_each_field(event: EventKind, profile: str) -> None:
    """The envelope's own fields among them, and those that only some events of the name have."""
    render, full = renderer(profile), samples.full(event)
    good = samples.own_fields(event)
    for make in HOSTILE.values():
        value = make()
        for name in full:
            check(event.name, written(event.name, {**good, name: value}, render))
        check(event.name, written(event.name, dict.fromkeys(full, value), render))


@pytest.mark.matrix_once
@pytest.mark.parametrize("profile", NAMES[1:])
@pytest.mark.parametrize("event", EVENTS, ids=samples.EVENTS_BY_NAME)
def test_one_hostile_value_in_each_field(event: EventKind, profile: str) -> None:
    render, good = renderer(profile), samples.own_fields(event)
    makers = list(HOSTILE.values())
    for number, name in enumerate(samples.full(event)):
        value = makers[(number + NAMES.index(profile)) % len(makers)]()
        check(event.name, written(event.name, {**good, name: value}, render))


# Any values

hostile: st.SearchStrategy[Any] = st.one_of(
    values.nested, values.long_text, st.sampled_from(sorted(HOSTILE)).map(lambda name: HOSTILE[name]())
)
# Without dots, since no name but the agent's own makes a tree of them.
hostile_names = st.one_of(
    values.any_text.map(lambda text: "x" + text.replace(".", "")),
    st.integers(),
    st.none(),
    st.binary(),
    st.tuples(st.integers()),
)
any_event = st.sampled_from(sorted(samples.EVENTS_BY_NAME)).map(samples.EVENTS_BY_NAME.__getitem__)
any_profile = st.sampled_from(NAMES)


@values.UNHURRIED
@given(st.data())
def test_any_values_in_any_fields(data: st.DataObject) -> None:
    event, profile = data.draw(any_event), data.draw(any_profile)
    names = data.draw(st.sets(st.sampled_from(sorted(samples.full(event))), min_size=1, max_size=6))
    spoiled = {name: data.draw(hostile) for name in sorted(names)}
    check(event.name, written(event.name, {**samples.own_fields(event), **spoiled}, renderer(profile)))


@values.UNHURRIED
@given(any_event, any_profile, st.dictionaries(hostile_names, hostile, max_size=40))
@example(
    samples.EVENTS_BY_NAME["poolwitness.finding"],
    "default",
    {"event": "x", "timestamp": "x", "poolwitness.seq": "x", "process.pid": "x", "self": 1, "method_name": 2},
)
@example(samples.EVENTS_BY_NAME["poolwitness.verdict"], "gcp", dict.fromkeys(range(300), "x" * 2000))
def test_fields_of_any_name(event: EventKind, profile: str, more: dict[Any, Any]) -> None:
    good = samples.own_fields(event)
    check(event.name, written(event.name, {**good, **more, **good}, renderer(profile)))
