"""Makes any value safe to write: no secret, no control character, nothing that is not strict JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any

from poolwitness.guards import let_pass

LONGEST_TEXT = 2000
LONGEST_SEARCHED = 4000
MOST_ITEMS = 200
LARGEST_EXACT = 2**53
DEEPEST = 4
MASK = "***"

_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
_KEEP_BREAKS = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
# The second form is a URI that was cut before its @.
_USERINFO = r"://(?:\S*@|[^\s/:]*:\S*)"
_PAIR = r"""(?isx) (?P<key> (?: password | passwd | passphrase | pass(?!\w) | pwd | secret | token ) \w{0,40} )
        (?P<quote> ["']? ) (?P<equals> \s* [=:] \s* )
        (?: [*]{3} (?=[\s,;)}\]]|$)  # masked before
          | '(?:[^'\\]|\'\')*(?:'|$) | "(?:[^"\\]|\"\")*(?:"|$)
          | \\*['"].*  # with backslashes, and who knows how often escaped: to the end
          | \S+ )"""
_STRING = r"""(?s)(?P<quote>'''|\"\"\"|'|")(?:\\.|(?!(?P=quote)).)*(?P<end>(?P=quote)|$)"""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # To compile all of these takes a tenth of what importing the agent takes, and most programs need one of them.
    return re.compile(pattern)


def scrub(text: str) -> str:
    """Take passwords out of a text, such as a pool's name or a thread's.

    It gives at most `LONGEST_SEARCHED` characters: patterns with gaps take quadratic time on input made for that.
    """
    text = text[:LONGEST_SEARCHED]
    return _without_pairs(_without_userinfo(text, MASK), MASK)


def _without_userinfo(text: str, mask: str) -> str:
    # Most texts have neither a URI nor such a word, and this test costs far less than a search.
    return _compiled(_USERINFO).sub(f"://{mask}@", text) if "://" in text else text


def _without_pairs(text: str, mask: str) -> str:
    lower = text.lower()
    if "pass" not in lower and "pwd" not in lower and "secret" not in lower and "token" not in lower:
        return text
    return _compiled(_PAIR).sub(lambda match: f"{match['key']}{match['quote']}{match['equals']}{mask}", text)


def mask_source(line: str) -> str:
    """A source line to show: every string literal is masked, since one of them may be a password."""
    code = _compiled(_STRING).sub(lambda match: f"{match['quote'][0]}…{match['quote'][0]}", line[:LONGEST_SEARCHED])
    return _without_pairs(_without_userinfo(code.partition("#")[0], "…"), "…").strip()


def clean_text(text: str, longest: int = LONGEST_TEXT, breaks: bool = False) -> str:
    """A text without control characters and lone surrogates, at most *longest* characters; *breaks* keeps line feeds."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isprintable():  # a tenth of what the search takes
        return text
    return _compiled(_KEEP_BREAKS if breaks else _CONTROL).sub("\ufffd", text)


def clean(value: Any, depth: int = 0) -> Any:
    """A value of plain, strict JSON: NaN and infinities become None, integers past 2^53 become floats."""
    try:
        return _clean(value, depth)
    except Exception as error:  # noqa: BLE001 - an application's class may raise from whatever it is asked
        let_pass(error)
        return _nameless(value)


def _clean(value: Any, depth: int) -> Any:
    # The types' own methods: a subclass may have overridden them. Most values are texts.
    if isinstance(value, str):
        return clean_text(scrub(str.__str__(value)), breaks=True)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int.__int__(value)
        return number if -LARGEST_EXACT <= number <= LARGEST_EXACT else _as_float(number)
    if isinstance(value, float):
        real = float.__float__(value)
        return real if math.isfinite(real) else None
    if isinstance(value, (list, tuple, set, frozenset)) and depth < DEEPEST:
        return [clean(item, depth + 1) for item in islice(value, MOST_ITEMS)]
    if isinstance(value, Mapping) and depth < DEEPEST:
        return {_key(key): clean(item, depth + 1) for key, item in islice(value.items(), MOST_ITEMS)}
    return _nameless(value)


def _key(key: Any) -> str:
    return clean_text(str.__str__(key), 200) if isinstance(key, str) else str(clean(key, DEEPEST))


def _nameless(value: Any) -> str:
    return f"<{clean_text(type(value).__name__, 200)}>"


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError as error:
        let_pass(error)
        return None
