"""``poolwitness explain RULE``: the page of a rule."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys

from poolwitness.cli import UsageError
from poolwitness.diagnose import pages

_BOLD, _CYAN, _PLAIN = "\033[1m", "\033[36m", "\033[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The rule, by code or by name."""
    parser.add_argument("rule", nargs="?", metavar="RULE", help="a code or a name, such as PW001 or pool-never-closed")


def run(args: argparse.Namespace) -> int:
    """Print one page, or one line for each rule."""
    if args.rule is None:
        text = "\n".join(_line(code) for code in pages.codes()) + "\n"
    else:
        text = pages.page(find(args.rule))
        if _styled():
            text = style(text)
    sys.stdout.write(text)
    return 0


def find(rule: str) -> str:
    """The code of a rule.

    Args:
        rule: its code or its name, in any case.

    Returns:
        For example ``PW001``.

    Raises:
        UsageError: no rule is called so; names the nearest one.
    """
    known: dict[str, str] = {}
    for code in pages.codes():
        known[code.lower()] = code
        known[pages.title(code)[0]] = code
    wanted = rule.strip().lower()
    if wanted in known:
        return known[wanted]
    # Among equals the first one, so that PW01 is taken for PW001.
    nearest = known[max(known, key=lambda word: difflib.SequenceMatcher(None, wanted, word).ratio())]
    name = pages.title(nearest)[0]
    raise UsageError(
        f"there is no rule {rule!r}; the nearest is {nearest} {name}, and `poolwitness explain` lists all."
    )


def style(markdown: str) -> str:
    """Markdown with headings, code blocks and inline code set apart by ANSI escapes."""
    styled = []
    # Between two fences stands code, outside them prose: every second part is code.
    for number, part in enumerate(re.split(r"(?m)^```.*\n", markdown)):
        if number % 2:
            styled.append(re.sub(r"(?m)^(.+)$", rf"    {_CYAN}\1{_PLAIN}", part))
        else:
            part = re.sub(r"`([^`]+)`", rf"{_CYAN}\1{_PLAIN}", part)
            styled.append(re.sub(r"(?m)^#+ (.+)$", rf"{_BOLD}\1{_PLAIN}", part))
    return "".join(styled)


def _line(code: str) -> str:
    name, summary = pages.title(code)
    return f"{code}  {name:<32} {summary}"


def _styled() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
