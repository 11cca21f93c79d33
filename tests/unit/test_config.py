"""Every variable of DESIGN section 4: what it takes, and that a bad value is told and takes its default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolwitness.config import Config
from tests.support.hostile_values import UNHURRIED

DEFAULTS = Config()
# variable, a usable value, its field, what it becomes, values that are not usable
VARIABLES: list[tuple[str, str, str, object, tuple[str, ...]]] = [
    ("POOLWITNESS", "1", "enabled", True, ("maybe", "2", "-1", "on!")),
    ("POOLWITNESS_LEVEL", "Trace", "level", "trace", ("debug", "1", "watch,trace")),
    (
        "POOLWITNESS_OUTPUT",
        "stderr, file:/x/%p.jsonl,logging",
        "outputs",
        ("stderr", "file:/x/%p.jsonl", "logging"),
        ("stdout", "file:", ",", "stderr,syslog", "STDERR;logging"),
    ),
    ("POOLWITNESS_FORMAT", "JSON", "format", "json", ("yaml", "json,console")),
    ("POOLWITNESS_PROFILE", "default", "profile", "default", ("nobody", "1")),
    ("POOLWITNESS_CLOSE", "yes", "close", True, ("please", "5")),
    ("POOLWITNESS_CLOSE_TIMEOUT_S", "0", "close_timeout_s", 0.0, ("-1", "nan", "inf", "5s", "1e999")),
    ("POOLWITNESS_HELD_S", "0.5", "held_s", 0.5, ("0", "-3", "nan", "long")),
    ("POOLWITNESS_SWEEP_S", "1e1", "sweep_s", 10.0, ("0", "0.001", "-inf", "often")),
    ("POOLWITNESS_IGNORE", " PW001, PW002:*/x.py ,", "ignore", ("PW001", "PW002:*/x.py"), ()),
    ("POOLWITNESS_SIGTERM", "on", "sigterm", True, ("TERM",)),
    ("POOLWITNESS_SIGNAL", "sigint", "signal", "SIGINT", ("INT", "SIG_DFL", "15", "SIGNOPE", "__name__")),
    ("POOLWITNESS_BLACKBOX", "/var/lib/x", "blackbox", "/var/lib/x", ()),
]
BAD = [(name, field, value) for name, _, field, _, bad in VARIABLES for value in bad]


def test_every_field_has_its_variable() -> None:
    assert set(Config._fields) == {
        *(field for _, _, field, _, _ in VARIABLES),
        "check_dir",
        "problems",
    }


def test_nothing_set_is_the_defaults() -> None:
    assert Config.from_environ({}) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "field", "becomes"), [row[:4] for row in VARIABLES], ids=lambda value: str(value)
)
def test_a_usable_value(name: str, value: str, field: str, becomes: object) -> None:
    config = Config.from_environ({name: value})
    assert getattr(config, field) == becomes
    assert config.problems == ()


@pytest.mark.parametrize(("name", "field", "value"), BAD)
def test_a_bad_value_is_told_and_takes_its_default(name: str, field: str, value: str) -> None:
    config = Config.from_environ({name: value})
    assert getattr(config, field) == getattr(DEFAULTS, field)
    (problem,) = config.problems
    assert problem.startswith(f"{name}={value!r} is not "), problem
    assert "; using " in problem
    assert "\n" not in problem


@pytest.mark.parametrize("name", [row[0] for row in VARIABLES])
def test_an_empty_value_is_no_value(name: str) -> None:
    assert Config.from_environ({name: "  "}) == DEFAULTS


def test_each_bad_value_has_its_own_sentence() -> None:
    bad = {row[0]: row[4][0] for row in VARIABLES if row[4]}
    config = Config.from_environ(bad)
    assert [problem.partition("=")[0] for problem in config.problems] == list(bad)


@UNHURRIED
@given(st.dictionaries(st.sampled_from([row[0] for row in VARIABLES]), st.text()))
def test_any_value_at_all_gives_a_whole_config(environ: dict[str, str]) -> None:
    config = Config.from_environ(environ)
    for value, default in zip(config, DEFAULTS, strict=True):
        assert type(value) is type(default)
    for problem in config.problems:
        assert len(problem) < 600
        problem.encode("utf-8")
