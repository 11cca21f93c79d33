"""``poolwitness dump``: asks a running process for its live state, through its agent or on its heap."""

from __future__ import annotations


class Unanswered(Exception):
    """The process cannot be asked, or did not answer; the text says why and what to do, in one or two sentences."""
