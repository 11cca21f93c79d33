"""``poolwitness explain RULE``: print the page of a rule, or list the rules."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from typing import Any

from poolwitness.cli.output import UsageError
from poolwitness.diagnose import pages
from poolwitness.diagnose.registry import RULES

_BOLD, _CYAN, _PLAIN = "\033[1m", "\033[36m", "\033[0m"


_EXAMPLE = RULES[min(RULES)]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "rule": {"nargs": "?", "metavar": "RULE", "help": f"a code or a name, such as {_EXAMPLE.code} or {_EXAMPLE.name}"},
}


def run(args: argparse.Namespace) -> int:
    """Print one page, or one line per rule."""
    if args.rule is None:
        text = "".join(f"{code}  {rule.name:<32} {pages.title(code)[1]}\n" for code, rule in sorted(RULES.items()))
    else:
        text = pages.page(find_code(args.rule))
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
            text = style(text)
    sys.stdout.write(text)
    return 0


def find_code(rule: str) -> str:
    """The code of a rule, which is named by its code or its name, in any case.

    Raises:
        UsageError: there is no such rule; the message names the most similar one.
    """
    codes = {word.lower(): code for code, known in sorted(RULES.items()) for word in (code, known.name)}
    wanted = rule.strip().lower()
    if wanted in codes:
        return codes[wanted]
    # Of equally similar ones the first.
    nearest = codes[max(codes, key=lambda word: difflib.SequenceMatcher(None, wanted, word).ratio())]
    raise UsageError(
        f"there is no rule {rule!r}; the nearest is {nearest} {RULES[nearest].name}, "
        "and `poolwitness explain` lists all."
    )


def style(markdown: str) -> str:
    """Markdown with headings, code blocks and inline code highlighted by ANSI escapes."""
    styled = []
    # The fences of code blocks separate prose and code: every second part is code.
    for number, part in enumerate(re.split(r"(?m)^```.*\n", markdown)):
        if number % 2:
            styled.append(re.sub(r"(?m)^(.+)$", rf"    {_CYAN}\1{_PLAIN}", part))
        else:
            part = re.sub(r"`([^`]+)`", rf"{_CYAN}\1{_PLAIN}", part)
            styled.append(re.sub(r"(?m)^#+ (.+)$", rf"{_BOLD}\1{_PLAIN}", part))
    return "".join(styled)
