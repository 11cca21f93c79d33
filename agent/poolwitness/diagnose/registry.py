"""The registry of rules: how a rule is declared, how all rules are run over a snapshot, and which findings are ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from typing import Any

from poolwitness.config import Config
from poolwitness.model.findings import Finding, Rule
from poolwitness.model.records import PoolRecord, Snapshot
from poolwitness.model.wording import short_path

# Why a snapshot is taken: something happened, a periodic sweep, the end of the process, or its death by a signal.
EVENT, SWEEP, VERDICT, POSTMORTEM = "event", "sweep", "verdict", "postmortem"
ANY = frozenset({EVENT, SWEEP, VERDICT, POSTMORTEM})

# What a rule is called for: each pool that this process opened, each that a parent process opened, or the whole snapshot.
POOL, INHERITED_POOL, SNAPSHOT = "pool", "inherited pool", "snapshot"

Check = Callable[..., Iterator[Finding]]

# By code. They are filled when the package `poolwitness.diagnose` is imported.
RULES: dict[str, Rule] = {}
_CHECKS: dict[str, Check] = {}


def rule(code: str, name: str, headline: str, *, moments: frozenset[str] = ANY, **more: Any) -> Callable[[Check], Rule]:
    """Declare a rule, as the decorator of the function that finds its faults; for the arguments see `Rule`.

    The function gets ``(pool, snapshot)``, or ``(snapshot)`` if the subject is `SNAPSHOT`. It must be pure. It yields what
    `Rule.finding` returns; the `Rule` itself takes the function's name in the module.
    """

    def add(check: Check) -> Rule:
        found = declare(Rule(code, name, headline, moments=moments, **more))
        _CHECKS[code] = check
        return found

    return add


def declare(rule: Rule) -> Rule:
    """Add a rule without a function: no snapshot can show its fault, and another component reports it.

    Raises:
        ValueError: another rule has this code.
    """
    if rule.code in RULES:
        raise ValueError(f"two rules are called {rule.code}")
    RULES[rule.code] = rule
    return rule


def run_rules(snapshot: Snapshot, config: Config) -> tuple[list[Finding], list[Finding]]:
    """Run the rules of a snapshot's moment.

    Returns:
        The findings that count, and those that POOLWITNESS_IGNORE names.
    """
    kept: list[Finding] = []
    ignored: list[Finding] = []
    for finding in _findings(snapshot):
        (ignored if is_ignored(finding, config.ignore) else kept).append(finding)
    return kept, ignored


def _findings(snapshot: Snapshot) -> Iterator[Finding]:
    checks: dict[str, list[Check]] = {POOL: [], INHERITED_POOL: [], SNAPSHOT: []}
    for code, check in _CHECKS.items():
        if snapshot.moment in RULES[code].moments:
            checks[RULES[code].subject].append(check)
    for check in checks[SNAPSHOT]:
        yield from check(snapshot)
    for pool in snapshot.pools:
        for check in checks[INHERITED_POOL if pool.life.inherited else POOL]:
            yield from check(pool, snapshot)


def own_pools(snapshot: Snapshot) -> Iterator[PoolRecord]:
    """The pools that this process opened itself, for rules about a whole snapshot."""
    return (pool for pool in snapshot.pools if not pool.life.inherited)


def is_ignored(finding: Finding, patterns: tuple[str, ...]) -> bool:
    """Whether an entry of POOLWITNESS_IGNORE names this finding: RULE, RULE:glob-of-file, or a fingerprint.

    A held connection may have been taken by a context manager; then the file that uses it also counts.
    """
    codes = [finding.rule.code]
    if finding.rule.code == "PW102" and finding.extra.get("poolwitness.holder_alive"):
        # A connection that is held on purpose is also held at the end on purpose.
        codes.append("PW103")
    frames = [finding.at]
    if finding.rule.retractable == "checkout" and finding.stack is not None:
        frames.append(finding.stack.holding)
    files = [name for frame in frames if frame is not None for name in (frame.file, short_path(frame.file))]
    for pattern in patterns:
        code, separator, glob = pattern.partition(":")
        if not separator:
            if code.upper() in codes or code.lower() in (finding.rule.name, finding.fingerprint):
                return True
        elif code.upper() in codes and any(fnmatch(file, glob) for file in files):
            return True
    return False
