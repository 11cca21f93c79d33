"""A declared rule runs at its moments, for its subject, and can be ignored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poolwitness.config import Config
from poolwitness.diagnose import registry
from poolwitness.diagnose.registry import ANY, INHERITED_POOL, SNAPSHOT, VERDICT, declare, rule, run_rules
from poolwitness.model.findings import Finding, Rule
from poolwitness.model.records import PoolRecord, Snapshot
from tests.support.snapshots import pool, snapshot

EVERY_RULE = dict(registry.RULES)


@pytest.fixture(autouse=True)
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rules of the package."""
    monkeypatch.setattr(registry, "RULES", {})
    monkeypatch.setattr(registry, "_CHECKS", {})


def declare_for_pools(
    code: str = "PW901", moments: frozenset[str] = ANY, subject: str = "pool", needs: str = ""
) -> Rule:
    """A rule that reports each pool that it is called for."""

    @rule(code, "any-pool", "always", confidence="proven", level="info", moments=moments, subject=subject, needs=needs)
    def any_pool(each: PoolRecord, taken: Snapshot) -> Iterator[Finding]:
        yield any_pool.finding("a pool", "nothing", (each.info.id,), pool=each, stack=each.info.created)

    return any_pool


def keys(taken: Snapshot) -> list[tuple[object, ...]]:
    """The keys of all findings."""
    return [finding.key for finding in run_rules(taken, Config())[0]]


def test_a_rule_takes_the_name_of_its_function() -> None:
    declared = declare_for_pools(needs="pools")
    assert {"PW901": declared} == registry.RULES
    assert (declared.name, declared.subject, declared.needs, declared.moments) == ("any-pool", "pool", "pools", ANY)


@pytest.mark.parametrize("moment", sorted(ANY))
def test_a_rule_runs_at_its_moments_only(moment: str) -> None:
    declare_for_pools("PW901", ANY)
    declare_for_pools("PW902", frozenset({VERDICT}))
    declare_for_pools("PW903", ANY - {VERDICT})
    codes = [key[0] for key in keys(snapshot(pool(), moment=moment))]
    assert codes == ["PW901", "PW902" if moment == VERDICT else "PW903"]


def test_inherited_pools_are_left_to_rules_about_them() -> None:
    declare_for_pools("PW901")
    declare_for_pools("PW902", subject=INHERITED_POOL)
    assert keys(snapshot(pool(id=1), pool(id=2, inherited=True), pool(id=3))) == [
        ("PW901", 1),
        ("PW902", 2),
        ("PW901", 3),
    ]


def test_a_rule_about_a_snapshot_runs_once() -> None:
    @rule("PW901", "pools", "always", confidence="proven", level="info", subject=SNAPSHOT)
    def pools(taken: Snapshot) -> Iterator[Finding]:
        yield pools.finding("pools", "nothing", tuple(each.info.id for each in registry.own_pools(taken)))

    assert keys(snapshot(pool(id=1), pool(id=2, inherited=True), pool(id=3))) == [("PW901", 1, 3)]
    assert keys(snapshot()) == [("PW901",)]


def test_a_rule_without_a_function_never_runs() -> None:
    declare(Rule("PW901", "measured", "elsewhere", "proven", "error"))
    assert list(registry.RULES) == ["PW901"]
    assert keys(snapshot(pool())) == []


def test_a_code_belongs_to_one_rule() -> None:
    declare_for_pools()
    with pytest.raises(ValueError, match="PW901"):
        declare_for_pools()


def test_ignored_findings_are_returned_apart() -> None:
    declare_for_pools("PW901")
    declare_for_pools("PW902")
    kept, ignored = run_rules(snapshot(pool()), Config(ignore=("pw902",)))
    assert [finding.rule.code for finding in kept] == ["PW901"]
    assert [finding.rule.code for finding in ignored] == ["PW902"]


def test_a_finding_has_its_own_level_or_that_of_its_rule() -> None:
    declared = declare_for_pools()
    assert declared.finding("", "", ()).severity == "info"
    assert declared.finding("", "", (), level="error").severity == "error"


def test_every_rule_declares_what_others_understand() -> None:
    for code, each in EVERY_RULE.items():
        assert code == each.code
        assert each.confidence in ("proven", "probable", "suspected")
        assert each.level in ("info", "warning", "error")
        assert each.moments <= ANY
        assert each.needs in ("", "pools")
        assert each.retractable in ("", "checkout", "worker")
        assert len(set(each.fields)) == len(each.fields)


def test_suspected_findings_about_a_checkout_give_way_before_the_verdict() -> None:
    """The record of a checkout is `suspected` because of them, and the verdict keeps what its own rules found."""
    of_checkouts = [each for each in EVERY_RULE.values() if each.retractable == "checkout"]
    assert {each.code for each in of_checkouts if each.confidence == "suspected"} == {"PW103"}
    assert {each.code for each in of_checkouts if VERDICT in each.moments} == {"PW102"}


def test_leaks_are_what_is_not_given_back() -> None:
    leaks = {code for code, each in EVERY_RULE.items() if each.leak}
    assert leaks == {"PW001", "PW002", "PW007", "PW101", "PW102", "PW107"}
