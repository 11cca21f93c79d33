"""The ways of asking a process for its living state, and what is made of its answer."""

from __future__ import annotations


class Unanswered(Exception):
    """The process cannot be asked, or did not answer; the text says why and what to do, in a sentence or two."""
