"""What leaves the process is safe to write: no secret, no control character, nothing but strict JSON values."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolwitness.report.redact import DEEPEST, LARGEST_EXACT, clean, clean_text, mask_source, scrub
from tests.support import hostile_values as values

SECRET = "hunter2"
NOT_IN_A_LOG = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def leaves(value: Any) -> Any:
    """Every key and every leaf of a cleaned value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            assert type(key) is str
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


@values.UNHURRIED
@given(values.nested)
def test_anything_becomes_strict_json(value: Any) -> None:
    cleaned = clean(value)
    json.loads(json.dumps(cleaned, allow_nan=False))
    for leaf in leaves(cleaned):
        assert leaf is None or type(leaf) in (str, int, float, bool)
        if type(leaf) is str:
            assert not NOT_IN_A_LOG.search(leaf)
        if type(leaf) is int:
            assert abs(leaf) <= LARGEST_EXACT


@values.UNHURRIED
@given(values.nested)
def test_cleaning_twice_is_cleaning_once(value: Any) -> None:
    once = clean(value)
    assert clean(once) == once


@values.UNHURRIED
@given(
    st.one_of(
        st.booleans(), st.integers(-LARGEST_EXACT, LARGEST_EXACT), st.floats(allow_nan=False, allow_infinity=False)
    )
)
def test_plain_numbers_stay_what_they_are(value: float) -> None:
    assert clean(value) == value
    assert type(clean(value)) is type(value)


@values.UNHURRIED
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs"), exclude_characters=":="), max_size=500
    )
)
def test_plain_text_stays_what_it_is(text: str) -> None:
    assert clean(text) == text
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("make", "becomes"),
    [
        (lambda: values.RefusingText("shop"), "shop"),
        (lambda: values.RefusingInt(2), 2),
        (lambda: values.RefusingFloat(2.5), 2.5),
        (lambda: values.RefusingDict({SECRET: SECRET}), "<RefusingDict>"),
        (values.RefusingObject, "<RefusingObject>"),
        (values.RefusingClass, "<RefusingClass>"),
    ],
)
def test_what_refuses_to_be_read_is_read_by_its_type_or_named(make: Callable[[], Any], becomes: object) -> None:
    cleaned = clean([make()])[0]
    assert cleaned == becomes
    assert type(cleaned) is type(becomes)


def test_depth_and_length_are_bounded() -> None:
    value: Any = "end"
    for _ in range(DEEPEST + 50):
        value = [value]
    assert json.dumps(clean(value)).count("[") == DEEPEST
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    assert json.dumps(clean(cyclic)).count("[") == DEEPEST
    assert len(clean("x" * 1_000_000)) <= 2000
    assert len(clean(range(3), 0)) < 20
    assert len(clean(["x"] * 1_000_000)) <= 200


# Every way in which a text can carry a password that nobody told us of.
CARRIERS = [
    "postgresql://bob:{}@db/shop",
    "postgres://bob:{}@db:5432/shop?sslmode=require",
    "could not connect: postgresql://bob:{}@[::1]/x failed",
    "postgresql://bob:a/{}@db/shop",
    "postgresql://bob:{}",
    "host=db password={} user=bob",
    "host=db password='{}' user=bob",
    "host=db password = '{} and more' user=bob",
    "host=db password='it\\'s {}' user=bob",
    "host=db password='it''s {}' user=bob",
    "host=db password='not closed {}",
    "password=a,{}",
    "password=a){}",
    "{{'host': 'db', 'password': '{}'}}",
    '{{"password": "{}", "host": "db"}}',
    "connect(host='db', password='{}')",
    'connect(password="{}")',
    "PGPASSWORD={}",
    "sslpassword={} sslkey=x",
    "DB_PASSWORD: {}",
    "db_pass={}",
    "api_token={}",
    "client_secret = {}",
    "Passphrase:{}",
]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_password_is_found_by_what_stands_around_it(carrier: str) -> None:
    text = carrier.format(SECRET)
    assert SECRET in text
    assert SECRET not in scrub(text)
    assert scrub(scrub(text)) == scrub(text)
    assert SECRET not in json.dumps(clean({"pool.name": text, "message": f"pool {text!r} was never closed"}))


@values.UNHURRIED
@given(st.sampled_from(CARRIERS), st.from_regex(r"[A-Za-z0-9_.~!$*-]{12,40}", fullmatch=True))
def test_any_password_is_found_by_what_stands_around_it(carrier: str, password: str) -> None:
    assert password not in scrub(carrier.format(password))


def test_a_password_is_found_when_the_text_was_cut_behind_it() -> None:
    name = ("postgresql://bob:" + "hunter2" * 40)[:77]
    assert SECRET not in scrub(f"pool {name!r} was never closed")


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "password" * 120_000, "a://" * 250_000, "'" * 1_000_000, "pwd=" * 250_000]
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    started = time.perf_counter()
    scrub(text)
    mask_source(text)
    clean(text)
    assert time.perf_counter() - started < 2


SOURCES = [
    'pool = ConnectionPool("host=db password=hunter2")',
    "pool = ConnectionPool('postgresql://bob:hunter2@db/x', open=True)",
    'pool = ConnectionPool(f"postgresql://bob:hunter2@{host}/x")',
    'pool = ConnectionPool("""host=db password=hunter2',
    'password=hunter2""", open=True)',
    'postgresql://bob:hunter2@db/x""").open()',
    'pool = ConnectionPool("host=db \\',
    "pool = ConnectionPool(kwargs={'password': 'hunter2'})",
    "pool = ConnectionPool(kwargs=dict(password=hunter2))  # hunter2",
    "pool = ConnectionPool(dsn)  # password is hunter2",
    "pool = ConnectionPool(b'hunter2', r'hunter2', rb\"hunter2\")",
    "pool = ConnectionPool('it\\'s hunter2')",
    "pool = ConnectionPool('''it's hunter2''')",
    "PASSWORD = 2; password = hunter2",
]


@pytest.mark.parametrize("line", SOURCES)
def test_a_source_line_shows_no_literal(line: str) -> None:
    assert SECRET not in mask_source(line)


def test_a_source_line_keeps_what_tells_it() -> None:
    assert (
        mask_source('    pool = ConnectionPool("host=db", open=True)  # the one\n')
        == 'pool = ConnectionPool("…", open=True)'
    )
    assert mask_source("with make_pool(settings.DSN) as pool:") == "with make_pool(settings.DSN) as pool:"
