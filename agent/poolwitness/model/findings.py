"""What a rule says: the rules by code, the finding, and its fingerprint."""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than all the rest.

import os
from typing import TYPE_CHECKING, NamedTuple

from poolwitness.model.records import Frame, PoolRecord, Stack

# From the interpreter itself: hashlib loads OpenSSL for the same digits.
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256

Value = str | int | float | bool | list[str]


class Rule(NamedTuple):
    """One rule: the code and the name are promised to users."""

    code: str
    name: str
    headline: str
    confidence: str
    level: str


def _rules(*rules: Rule) -> dict[str, Rule]:
    return {rule.code: rule for rule in rules}


RULES: dict[str, Rule] = _rules(
    Rule("PW001", "pool-never-closed", "a pool was still open when the program ended", "proven", "warning"),
    Rule("PW002", "pool-dropped-open", "a pool was garbage-collected while it was open", "proven", "warning"),
    Rule(
        "PW003", "exit-delayed", "a pool's __del__ held up the interpreter's exit, or raised there", "proven", "error"
    ),
    Rule("PW004", "exit-hung", "the program is ending and cannot", "probable", "error"),
    Rule("PW005", "pool-used-after-close", "PoolClosed was raised", "proven", "error"),
    Rule(
        "PW006",
        "async-pool-opened-in-constructor",
        "an async pool was opened by its constructor",
        "proven",
        "warning",
    ),
    Rule("PW007", "pool-crowd", "many live pools of one origin or one database", "probable", "warning"),
    Rule("PW101", "connection-lost", "a connection was garbage-collected without being returned", "proven", "warning"),
    Rule("PW102", "connection-not-returned", "a connection was out to the end", "probable", "warning"),
    Rule("PW103", "connection-held-long", "a connection has been out for long", "suspected", "warning"),
    Rule("PW104", "returned-in-transaction", "a connection came back with work uncommitted", "proven", "error"),
    Rule("PW105", "returned-broken", "a connection came back closed or broken", "proven", "warning"),
    Rule("PW106", "nested-checkout", "one holder took a second connection", "suspected", "warning"),
    Rule("PW107", "slots-unaccounted", "the pool counts connections that nobody has", "probable", "error"),
    Rule("PW201", "pool-exhausted", "a request got no connection", "proven", "error"),
    Rule("PW202", "connect-failing", "the pool cannot connect and keeps trying", "proven", "error"),
    Rule("PW203", "connect-slow", "connections take long to make", "probable", "warning"),
    Rule("PW204", "adapters-outside-configure", "adapters are registered on each checkout", "probable", "warning"),
    Rule("PW301", "worker-died", "the pool is open and one of its threads or tasks is dead", "proven", "error"),
    Rule("PW302", "worker-stuck", "a worker of a pool has been in one task for long", "suspected", "warning"),
    Rule("PW401", "pool-crossed-fork", "a pool was used in a child of the process that opened it", "proven", "error"),
    Rule("PW402", "pool-crossed-loops", "an async pool was used on another loop than its own", "proven", "error"),
    Rule("PW501", "known-defect", "this release has a known fault that applies here", "proven", "warning"),
)


class Finding(NamedTuple):
    """One fault: what happened, how sure that is, the line to open first and how to mend it.

    ``key`` says what makes it the same fault, told once; ``stack`` is where the line stands.
    """

    rule: Rule
    message: str
    fix: str
    key: tuple[object, ...]
    pool: PoolRecord | None = None
    stack: Stack | None = None
    level: str = ""
    extra: dict[str, Value] = {}  # noqa: RUF012 - nobody changes it

    @property
    def at(self) -> Frame | None:
        """The line to open first."""
        return self.stack.origin if self.stack is not None else None

    @property
    def severity(self) -> str:
        """``info``, ``warning`` or ``error``: follows the consequence."""
        return self.level or self.rule.level

    @property
    def fingerprint(self) -> str:
        """16 hex digits over rule, class and the application's functions, without line numbers."""
        return fingerprint(self.rule.code, self.pool.info.cls if self.pool is not None else "", self.stack)


def fingerprint(code: str, cls: str, stack: Stack | None) -> str:
    """The same fault at the same functions has the same fingerprint, across processes and deployments.

    Args:
        code: the rule's code.
        cls: the pool's class.
        stack: the stack of the line to open; folders and line numbers do not count.
    """
    names = [code, cls]
    if stack is not None:
        frames = stack.application or ((stack.origin,) if stack.origin is not None else ())
        names += [f"{os.path.basename(frame.file)}:{frame.function}" for frame in frames]
    return sha256("\n".join(names).encode("utf-8", "replace")).hexdigest()[:16]
