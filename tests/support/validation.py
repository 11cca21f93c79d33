"""Validate one event, and say in a sentence what to do where it does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema

from poolwitness.contract import json_schema as document

Event = dict[str, Any]


@cache
def _validator(strict: bool) -> jsonschema.Draft202012Validator:
    schema = document.strict() if strict else document.build()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validate(event: Event, strict: bool = True) -> None:
    """An event is as the contract says.

    Args:
        event: a parsed line under the profile ``default``.
        strict: hold it to what this release writes; else to what a reader may rely on.

    Raises:
        AssertionError: it is not; with each reason.
    """
    problems = [_told(problem, event) for problem in _validator(strict).iter_errors(event)]
    problems += [f"{name} is both a field and the beginning of another" for name in prefixes(event)]
    if event.get("event") is not None and problems:
        problems.append(f"in {event}")
    assert not problems, "\n".join(problems)


def prefixes(event: Event) -> Iterator[str]:
    """The names that are fields and beginnings of other fields as well."""
    for name in event:
        for index, letter in enumerate(name):
            if letter == "." and name[:index] in event:
                yield name[:index]


def _told(problem: jsonschema.ValidationError, event: Event) -> str:
    if problem.validator == "additionalProperties":
        return (
            f"{event.get('event')}: {problem.message}. A new field needs a row in report/fields.py, its name "
            "in report/events.py or at its rule, and `make generate` (docs/events.md says what may change)"
        )
    return f"{event.get('event')}: {'.'.join(map(str, problem.absolute_path))}: {problem.message}"
