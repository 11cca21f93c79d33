"""What a program itself wrote to stderr, without what may differ between two runs of it."""

from __future__ import annotations

import re

from tests.support.scenarios.activation_modes import site_folder

_VARIES = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"\b(pid=|started daemon |started )\d+"), r"\1…"),
    (re.compile(r"/tmp/tmp\w+"), "/tmp/…"),
    # A task that runs a wrapped coroutine stands in the wrapper.
    (re.compile(r" running at \S+>"), " running at …>"),
)
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line \d+')


def comparable(lines: list[str], frames: bool = True) -> list[str]:
    """The lines with addresses and process ids taken out, and the agent's frames taken out of tracebacks.

    A wrapper stands on the stack of an exception that passes through it: that is all that may differ.

    Args:
        lines: what the program wrote.
        frames: False takes all frames out of tracebacks.
    """
    agent = str(site_folder().parent)
    kept: list[str] = []
    skipping = False
    for line in lines:
        frame = _FRAME.match(line)
        if frame is not None:
            skipping = not frames or frame["file"].startswith(agent)
        elif not line.startswith("    "):
            skipping = False
        if not skipping:
            for pattern, replacement in _VARIES:
                line = pattern.sub(replacement, line)
            kept.append(line)
    return kept
