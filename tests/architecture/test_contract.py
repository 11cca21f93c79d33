"""The contract of the lines: complete, in order with its documents, and true whatever values come in."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from poolwitness.contract import json_schema as document
from poolwitness.contract.events import EVENTS, Event, every_field
from poolwitness.contract.fields import UTC
from poolwitness.diagnose.registry import RULES
from poolwitness.report.field_types import FAMILIES, KINDS
from tests.support import samples
from tests.support.commands import cli
from tests.support.pipeline import written
from tests.support.programs import strict
from tests.support.validation import validate
from tools import generate

events = pytest.mark.parametrize("event", EVENTS, ids=samples.EVENTS_BY_NAME)


def test_the_schema_is_one_and_lies_in_the_package() -> None:
    schema = json.loads(document.shipped())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["$id"] == document.ID
    assert cli("schema").stdout == document.shipped()


@pytest.mark.parametrize("path", generate.made(), ids=lambda path: path.name)
def test_what_is_made_from_it_is_up_to_date(path: Any) -> None:
    assert path.read_text(encoding="utf-8") == generate.made()[path], "run `make docs`"


def test_every_field_has_a_type_and_a_meaning() -> None:
    described = {name.rstrip("*") for name in every_field()}
    assert {*KINDS, *FAMILIES} == described, "a type in report/kinds.py and a meaning in schema/events.py, for each"


@events
def test_its_example_is_an_event(event: Event) -> None:
    validate(samples.full(event))
    assert set(event.required) <= {field.name for field in event.fields}
    names = [field.name for field in event.every_field]
    assert len(set(names)) == len(names), "described twice"


@events
def test_the_pipeline_leaves_a_good_event_alone(event: Event) -> None:
    line = strict(written(event.name, samples.own_fields(event)))
    given = samples.own_fields(event)
    assert {name: line[name] for name in given} == given


@events
def test_an_undocumented_field_is_noticed(event: Event) -> None:
    with pytest.raises(AssertionError, match=r"poolwitness\.unheard_of.*report/kinds\.py"):
        validate({**samples.full(event), "poolwitness.unheard_of": 1})
    with pytest.raises(AssertionError, match=r"poolwitness\.pool"):
        validate({**samples.full(event), "poolwitness.pool": 1, "poolwitness.pool.id": 1})


def test_an_unknown_event_is_noticed_here_and_passes_elsewhere() -> None:
    later = {**samples.SAMPLES["poolwitness.agent.failed"], "event": "poolwitness.later", "poolwitness.more": {}}
    with pytest.raises(AssertionError, match="is not one of"):
        validate(later)
    validate(later, strict=False)


@events
def test_a_reader_may_rely_on_what_is_required(event: Event) -> None:
    for name in (*event.required, "timestamp", "process.pid", "poolwitness.seq", "message"):
        less = samples.full(event)
        del less[name]
        with pytest.raises(AssertionError, match="is a required property"):
            validate(less, strict=False)


@pytest.mark.parametrize("name", every_field())
def test_another_type_is_noticed(name: str) -> None:
    field = every_field()[name]
    others: list[Any] = [
        None,
        {},
        [1],
        7 if field.kind == "text" else "text",
        2**60 if field.kind == "integer" else None,
    ]
    for wrong in others:
        event = next(event for event in EVENTS if field.name in {each.name for each in event.every_field})
        with pytest.raises(AssertionError, match=r".+"):
            validate({**samples.full(event), field.sample_name: wrong}, strict=False)


def test_each_rule_has_its_form() -> None:
    for code, rule in RULES.items():
        validate(
            {
                **samples.SAMPLES["poolwitness.finding"],
                "poolwitness.rule": code,
                "level": rule.level,
                "poolwitness.confidence": rule.confidence,
            }
        )


def test_timestamps_are_of_one_form() -> None:
    import re

    for at in (0.0, -1.0, float("nan"), float("inf"), 1e300, 4e9, None, "now"):
        found = json.loads(written("poolwitness.pool.opened", {"timestamp": at}))
        assert re.match(UTC, found["timestamp"])
