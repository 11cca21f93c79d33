"""Each rule has its page, whole, and the examples on it do what the page says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from poolwitness.cli.doctor.interpreter import components
from poolwitness.diagnose import pages
from poolwitness.diagnose.registry import RULES

pytestmark = pytest.mark.slow

NAMES = {code: rule.name for code, rule in RULES.items()}

SECTIONS = [
    "What it means",
    "How it looks in production",
    "How to mend it",
    "Bad",
    "Good",
    "Confidence",
    "Where the line points",
    "How to ignore it",
    "Sources",
]

# Rules whose bad example does not show them on every Python and psycopg_pool.
NOT_ALWAYS_SHOWN = {"PW003", "PW004", "PW501"}

# Where psycopg_pool has no check= yet.
USES_CHECK = {"PW105", "PW501"}


def sections(code: str) -> dict[str, str]:
    """A page's sections by their heading."""
    _, *parts = re.split(r"(?m)^## ", pages.page(code))
    found = {}
    for part in parts:
        heading, body = part.split("\n", 1)
        found[heading] = body
    return found


def examples(code: str, section: str) -> list[str]:
    """The Python programs of a section."""
    return re.findall(r"(?ms)^```python\n(.*?)^```$", sections(code)[section])


@pytest.fixture(scope="session")
def shop(dsn: str) -> str:
    """The conninfo of a database with the tables that the examples are about."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create table if not exists stock (item int primary key, amount int)")
        conn.execute("insert into stock values (42, 1000), (43, 1000) on conflict do nothing")
        conn.execute("create table if not exists orders (item int)")
        if conn.execute("select to_regtype('colour')").fetchone() == (None,):
            conn.execute("create type colour as enum ('red', 'green')")
    return make_conninfo("", **conninfo_to_dict(dsn))


def run_example(
    source: str, shop: str, directory: Path, timeout_s: float = 60, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run an example under the agent, in a directory of its own, against the test's database."""
    # An address of its own, as in PW202's bad example, is the point of the example.
    program = re.sub(r'"dbname=shop', lambda _: f'"{shop}', source)
    (directory / "example.py").write_text(program, encoding="utf-8")
    usual = {"POOLWITNESS": "1", "POOLWITNESS_FORMAT": "json", "POOLWITNESS_CLOSE": "1"}
    return subprocess.run(
        [sys.executable, "example.py"],
        cwd=directory,
        env={**os.environ, **usual, **settings},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def found(run: subprocess.CompletedProcess[str]) -> set[str]:
    """The rules that the agent named."""
    return set(re.findall(r'"poolwitness\.rule":"(PW\d+)"', run.stderr))


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {code: pages.title(code)[0] for code in pages.codes()} == NAMES


def test_no_page_for_a_rule_that_is_not() -> None:
    for name in ("PW000", "../PW001", "", "__init__"):
        with pytest.raises(KeyError):
            pages.page(name)


@pytest.mark.parametrize("code", NAMES)
def test_page_is_whole(code: str) -> None:
    text = pages.page(code)
    assert text.startswith(f"# {code} {NAMES[code]}\n\n")
    _, summary = pages.title(code)
    assert summary.count(". ") == 0
    assert summary.endswith(".")
    assert list(sections(code)) == SECTIONS
    assert all(body.strip() for body in sections(code).values())
    assert 40 <= len(text.splitlines()) <= 95
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize("code", NAMES)
def test_page_says_how_sure_which_line_and_how_to_ignore(code: str) -> None:
    here = sections(code)
    assert here["Confidence"].strip().startswith(f"{RULES[code].confidence.capitalize()}: ")
    assert "`code.*` is " in here["Where the line points"]
    ignore = here["How to ignore it"]
    assert f"POOLWITNESS_IGNORE={code}" in ignore
    assert f"{code}:*/" in ignore
    assert "`poolwitness.fingerprint`" in ignore


def test_a_listener_can_say_that_it_holds_by_design() -> None:
    assert "POOLWITNESS_IGNORE=PW103:*/listener.py" in sections("PW103")["How to mend it"]


@pytest.mark.parametrize("code", NAMES)
def test_examples_compile(code: str) -> None:
    for section in ("Bad", "Good"):
        assert examples(code, section)
        for source in examples(code, section):
            compile(source, f"{code}.md", "exec")


@pytest.mark.parametrize("code", NAMES)
def test_good_examples_run_and_are_clean(code: str, shop: str, tmp_path: Path) -> None:
    if code == "PW401" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    if code in USES_CHECK and components()["psycopg_pool"] < (3, 2):
        pytest.skip("check= came with psycopg_pool 3.2")
    for source in examples(code, "Good"):
        run = run_example(source, shop, tmp_path)
        assert run.returncode == 0, run.stderr
        assert found(run) - {"PW501"} == set()


@pytest.mark.parametrize("code", sorted(set(RULES) - NOT_ALWAYS_SHOWN))
def test_bad_examples_are_found(code: str, shop: str, tmp_path: Path) -> None:
    if code == "PW401" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    for source in examples(code, "Bad"):
        # The shop's slow card company takes 2 s.
        run = run_example(source, shop, tmp_path, POOLWITNESS_HELD_S="1", POOLWITNESS_SWEEP_S="0.5")
        assert run.returncode == 0, run.stderr
        assert code in found(run)


def test_the_delayed_exit_is_delayed_where_the_page_says(shop: str, tmp_path: Path) -> None:
    (source,) = examples("PW003", "Bad")
    run = run_example(source, shop, tmp_path, POOLWITNESS_CLOSE="0")
    assert ("PW003" in found(run)) is (sys.version_info >= (3, 13))
    assert ("PythonFinalizationError" in run.stderr) is (sys.version_info >= (3, 14))


@pytest.mark.skipif(
    components()["psycopg_pool"] < (3, 2, 8), reason="the cancellation is swallowed since psycopg_pool 3.2.8"
)
def test_the_exit_that_hangs_does_hang(tmp_path: Path) -> None:
    """PW004's bad example, with a server that accepts and never speaks in the place of a silent network."""
    (source,) = examples("PW004", "Bad")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = f"host=127.0.0.1 port={silent.getsockname()[1]}"
        assert "host=192.0.2.1" in source
        source = source.replace("host=192.0.2.1", here)
        with pytest.raises(subprocess.TimeoutExpired) as hung:
            run_example(source, "", tmp_path, timeout_s=6, POOLWITNESS_HELD_S="0.5", POOLWITNESS_SWEEP_S="0.1")
    assert b'"poolwitness.rule":"PW004"' in (hung.value.stderr or b"")
