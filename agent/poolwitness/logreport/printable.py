"""Texts from logs, and names of files, as they may be shown: none steers a terminal or turns a line around."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def printable(text: str) -> str:
    """A text with a replacement character for each such character; line feeds stay."""
    return _CONTROL.sub("�", text)
