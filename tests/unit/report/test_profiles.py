"""The profiles: renaming alone, names that no store chokes on, and lines that can be read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from poolwitness.config import PROFILES as NAMES
from poolwitness.report.events import EVENTS
from poolwitness.report.fields import FIELDS
from poolwitness.report.json_lines import render_json
from poolwitness.report.open_sinks import json_renderer
from poolwitness.report.profiles import PROFILES, SOURCE_LOCATION, restored
from tests.support import samples

Event = dict[str, Any]
profiles = pytest.mark.parametrize("profile", PROFILES)
# Reading a bare value there, Elasticsearch refuses every later object, and the other way about.
ELASTIC_OBJECTS = {"event", "service", "host", "error", "log", "process", "thread", "rule", "user", "server", "ecs"}


def leaves(event: Event, before: str = "") -> Iterator[tuple[str, Any]]:
    """Each value with the whole of its name, as a store that unfolds objects sees it."""
    for name, value in event.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{before}{name}.")
        else:
            yield before + name, value


def type_of(value: Any) -> str:
    """The type that a store gives the first value it sees."""
    return f"list of {type_of(value[0])}" if isinstance(value, list) else type(value).__name__


def renamed(profile: str, event: Event) -> Event:
    """An event as it stands in the line."""
    line: Event = json.loads(json_renderer(profile)(event))
    return line


def test_the_setting_knows_them_all() -> None:
    assert ("default", *PROFILES) == NAMES
    assert json_renderer("default") is render_json


@pytest.mark.parametrize("profile", NAMES)
def test_one_type_a_field_and_no_field_is_a_prefix(profile: str) -> None:
    types: dict[str, str] = {}
    for event in samples.SAMPLES.values():
        for name, value in leaves(renamed(profile, event)):
            assert types.setdefault(name, type_of(value)) == type_of(value), f"{name} of {event['event']}"
    beginnings = {name[:index] for name in types for index, letter in enumerate(name) if letter == "."}
    assert not beginnings & types.keys()
    if profile == "ecs":
        assert not ELASTIC_OBJECTS & types.keys()


@profiles
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_it_only_renames(profile: str, event: Any) -> None:
    sample = samples.full(event)
    line = renamed(profile, sample)
    assert restored(line) == sample
    lost = set(PROFILES[profile].names) & line.keys()
    assert not lost, f"{lost} stand there under both names"
    added = set(PROFILES[profile].demanded) & line.keys()
    assert len(leaves_of(line) - leaves_of({name: line[name] for name in added})) <= len(sample)


def leaves_of(event: Event) -> set[str]:
    """The names of all values."""
    return {name for name, _ in leaves(event)}


def test_what_is_not_ours_is_left_alone() -> None:
    assert restored({"logger": "app", "message": "hello"}) is None
    assert restored({}) is None
    assert restored(samples.SAMPLES["poolwitness.verdict"]) == samples.SAMPLES["poolwitness.verdict"]
    assert restored({"logger": "poolwitness", "severity": ["?"], SOURCE_LOCATION: {"line": "?"}}) is not None


def test_a_profile_names_no_field_that_there_is_not() -> None:
    for profile in PROFILES.values():
        assert profile.names.keys() <= FIELDS.keys(), profile.name
        assert not set(profile.names.values()) & (FIELDS.keys() - profile.names.keys()), profile.name


# What each backend demands


def test_opentelemetry() -> None:
    line = renamed("otel", samples.SAMPLES["poolwitness.finding"])
    assert line["event_name"] == "poolwitness.finding"
    assert (line["severity_text"], line["severity_number"]) == ("WARN", 13)
    assert line["body"].startswith("pool 'shop'")
    assert line["code.line.number"] == 14


def test_elastic() -> None:
    line = renamed("ecs", samples.SAMPLES["poolwitness.finding"])
    assert line["event.category"] == ["database"]
    assert line["event.type"] == ["error"]
    assert line["event.kind"] == "event"
    assert line["log.level"] == "warning"
    assert line["rule.id"] == "PW001"
    assert datetime.fromisoformat(line["@timestamp"].replace("Z", "+00:00")).year == 2026
    closed = renamed("ecs", samples.SAMPLES["poolwitness.pool.closed"])
    assert closed["event.duration"] == 3_600_500_000_000
    for_ages = {**samples.SAMPLES["poolwitness.pool.closed"], "poolwitness.pool.open_s": 1e9}
    assert renamed("ecs", for_ages)["event.duration"] == 2**53
    past_every_float = {**for_ages, "poolwitness.pool.open_s": 1e305}
    assert renamed("ecs", past_every_float)["event.duration"] == 2**53
    assert renamed("ecs", samples.SAMPLES["poolwitness.pool.state"])["event.kind"] == "state"


def test_google() -> None:
    line = renamed("gcp", samples.SAMPLES["poolwitness.finding"])
    assert line["severity"] == "WARNING"
    assert line[SOURCE_LOCATION] == {"file": "/srv/shop/db.py", "line": "14", "function": "make_pool"}
    assert line["time"].endswith("Z")
    assert SOURCE_LOCATION not in renamed("gcp", samples.SAMPLES["poolwitness.verdict"])


def test_datadog() -> None:
    line = renamed("datadog", samples.SAMPLES["poolwitness.finding"])
    assert (line["status"], line["logger.name"], line["evt.name"]) == ("warning", "poolwitness", "poolwitness.finding")
    assert renamed("datadog", samples.SAMPLES["poolwitness.finding.resolved"])["duration"] == 31_250_000_000
