"""The result of a rule: Rule, Finding, and the fingerprint that is the same for the same fault."""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than the rest of the module.

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from poolwitness.model.records import Frame, PoolRecord, Stack

# The interpreter's own implementation: hashlib loads OpenSSL for the same digits.
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
    """One rule, as it declares itself in `poolwitness.diagnose`.

    Attributes:
        code: ``PW`` and three digits; promised to users, like the name.
        name: words joined by hyphens.
        headline: one line on when it reports.
        confidence: ``proven`` (it happened), ``probable`` (nothing else is likely) or ``suspected`` (it may resolve).
        level: ``info``, ``warning`` or ``error``; a finding may have its own.
        moments: the moments of the snapshots that it is run on; empty if another component reports it.
        subject: what it is run for: each ``pool``, each ``inherited pool``, or the ``snapshot``.
        needs: the name of the guard without which its evidence is out of date; empty if there is none.
        fields: the fields that its findings may add to the event.
        retractable: what resolves a finding: the return of its ``checkout``, or its ``worker`` that finishes its task; empty
            if nothing does.
        leak: whether a pool, a connection or a slot is not given back.
        lists_holders: whether a finding is followed by an event for each of the worst holders.
    """

    code: str
    name: str
    headline: str
    confidence: str
    level: str
    moments: frozenset[str] = frozenset()
    subject: str = "pool"
    needs: str = ""
    fields: tuple[str, ...] = ()
    retractable: str = ""
    leak: bool = False
    lists_holders: bool = False

    def finding(
        self,
        message: str,
        fix: str,
        key: tuple[object, ...] | None = None,
        *,
        pool: PoolRecord | None = None,
        stack: Stack | None = None,
        level: str = "",
        extra: Mapping[str, Value | None] | None = None,
    ) -> "Finding":
        """A finding of this rule.

        Args:
            message: one sentence on what happened.
            fix: how to fix it.
            key: what makes it the same fault among the findings of this rule; otherwise that it is about this pool.
            pool: the pool that it is about.
            stack: the stack of the line to open first; otherwise where the pool was created.
            level: its level, if not the rule's.
            extra: further fields of the event, each declared by the rule; one that is None is left out.
        """
        if pool is not None:
            key = (pool.info.id,) if key is None else key
            stack = stack or pool.info.created
        fields = {name: value for name, value in (extra or {}).items() if value is not None}
        return Finding(self, message, fix, (self.code, *(key or ())), pool, stack, level, fields)


class Finding(NamedTuple):
    """One fault: what happened, how certain that is, the line to open first, and the fix.

    A fault is reported once; ``key`` says what makes it the same. ``stack`` is that of the line to open first.
    """

    rule: Rule
    message: str
    fix: str
    key: tuple[object, ...]
    pool: PoolRecord | None = None
    stack: Stack | None = None
    level: str = ""
    extra: dict[str, Value] = {}  # noqa: RUF012 - never changed

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
        """See `fingerprint`."""
        return fingerprint(self.rule.code, self.pool.info.cls if self.pool is not None else "", self.stack)


def fingerprint(code: str, cls: str, stack: Stack | None) -> str:
    """16 hex digits over rule, class and the application's functions: without folders and line numbers.

    So a fault has the same one in every process and after a deployment.
    """
    names = [code, cls]
    if stack is not None:
        frames = stack.application or ((stack.origin,) if stack.origin is not None else ())
        names += [f"{os.path.basename(frame.file)}:{frame.function}" for frame in frames]
    return sha256("\n".join(names).encode("utf-8", "replace")).hexdigest()[:16]
