"""The contract of the lines: complete, in order with its documents, and true whatever values come in."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from poolwitness.contract import every_field, own_fields, rules_by_field
from poolwitness.contract import json_schema as document
from poolwitness.diagnose.registry import RULES
from poolwitness.report.events import EVENTS, EventKind
from poolwitness.report.fields import FIELDS, UTC, field_type
from tests.support import samples
from tests.support.commands import cli
from tests.support.pipeline import written
from tests.support.programs import strict
from tests.support.validation import validate
from tools import generate

events = pytest.mark.parametrize("event", EVENTS, ids=samples.EVENTS_BY_NAME)


def test_the_schema_is_valid_and_in_the_package() -> None:
    schema = json.loads(document.shipped())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["$id"] == document.ID
    assert cli("schema").stdout == document.shipped()


@pytest.mark.parametrize("path", generate.generated(), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Any) -> None:
    assert path.read_text(encoding="utf-8") == generate.generated()[path], "run `make generate`"


def test_every_field_is_of_an_event_and_is_described_once() -> None:
    used = {field.name for event in EVENTS for field in every_field(event)}
    assert used == set(FIELDS), "each row of report/fields.py is named by an event or a rule"
    for field in FIELDS.values():
        assert field_type(field.sample_name) == field.type
        assert (field.unit == "s") == field.name.endswith("_s")
    assert field_type("poolwitness.unheard_of") is None


def test_the_rules_that_add_fields_are_rules() -> None:
    assert {code for codes in rules_by_field().values() for code in codes} <= set(RULES)


@events
def test_its_example_is_an_event(event: EventKind) -> None:
    validate(samples.full(event))
    assert set(event.required) <= {field.name for field in own_fields(event)}
    names = [field.name for field in every_field(event)]
    assert len(set(names)) == len(names), "described twice"


@events
def test_the_pipeline_leaves_a_good_event_alone(event: EventKind) -> None:
    line = strict(written(event.name, samples.own_fields(event)))
    given = samples.own_fields(event)
    assert {name: line[name] for name in given} == given


@events
def test_an_undocumented_field_is_noticed(event: EventKind) -> None:
    with pytest.raises(AssertionError, match=r"poolwitness\.unheard_of.*report/fields\.py"):
        validate({**samples.full(event), "poolwitness.unheard_of": 1})
    with pytest.raises(AssertionError, match=r"poolwitness\.pool"):
        validate({**samples.full(event), "poolwitness.pool": 1, "poolwitness.pool.id": 1})


def test_an_unknown_event_is_noticed_here_and_passes_elsewhere() -> None:
    later = {**samples.SAMPLES["poolwitness.agent.failed"], "event": "poolwitness.later", "poolwitness.more": {}}
    with pytest.raises(AssertionError, match="is not one of"):
        validate(later)
    validate(later, strict=False)


@events
def test_a_reader_may_rely_on_what_is_required(event: EventKind) -> None:
    for name in (*event.required, "timestamp", "process.pid", "poolwitness.seq", "message"):
        less = samples.full(event)
        del less[name]
        with pytest.raises(AssertionError, match="is a required property"):
            validate(less, strict=False)


@pytest.mark.parametrize("name", FIELDS)
def test_another_type_is_noticed(name: str) -> None:
    field = FIELDS[name]
    others: list[Any] = [
        None,
        {},
        [1],
        7 if field.type == "text" else "text",
        2**60 if field.type == "integer" else None,
    ]
    for wrong in others:
        event = next(event for event in EVENTS if field.name in {each.name for each in every_field(event)})
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
