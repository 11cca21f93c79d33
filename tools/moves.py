"""Count how often control moves between the agent's modules when a pool is created, and when the process ends.

python -m tools.moves                                       # the numbers
python -m tools.moves --list                                # each move: from, to, function
python -m tools.moves --packages agent,boot,runtime,observe,ledger

The counted modules are those of the packages named, by default the orchestration modules: agent.py and what is in boot/
and runtime/. A move is a call of a function in one of them if the nearest one of them on the stack is another, or none:
functions of other modules in between are passed over, and a constructor or a property is a function like any other.
For each event that is written, the counted modules on the stack at that moment are given too: the way to that line.

The program creates two sync pools, whose min_size is 0, so it needs no database. It closes the second, and ends. Its
main thread is recorded by `sys.setprofile`. Loading the agent, which the first pool does once, has a line of its own.
Recording ends when the verdict is emitted. POOLWITNESS must not be set.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
from types import FrameType
from typing import NamedTuple

ORCHESTRATION = ("agent", "boot", "runtime")
LOADING, FIRST, LATER, EXIT = "loading the agent", "the first pool", "a later pool", "exit to verdict"


class Move(NamedTuple):
    """One call from a counted module into another; *caller* is empty if the program called."""

    caller: str
    module: str
    function: str


class Recorder:
    """Records the moves of this thread.

    Args:
        packages: whose modules are counted.
    """

    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages
        self.moves: dict[str, list[Move]] = {name: [] for name in (LOADING, FIRST, LATER, EXIT)}
        # The events that were emitted, each with the way to it.
        self.ways: dict[str, list[tuple[str, ...]]] = {name: [] for name in self.moves}
        self._section = FIRST

    def start(self, section: str) -> None:
        """Record into *section* from here on."""
        self._section = section
        sys.setprofile(self._profile)

    def stop(self) -> None:
        """Record no more."""
        sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_name
        is_loader = name == "_load" and self._module(frame) == "boot.first_pool"
        if event == "return" and is_loader:
            self._section = FIRST
        # The bodies of modules and comprehensions are part of what runs them.
        if event != "call" or name.startswith("<"):
            return
        if is_loader:
            self._section = LOADING
        module = self._module(frame)
        if not module:
            return
        caller = frame.f_back
        while caller is not None and not self._module(caller):
            caller = caller.f_back
        move = Move(self._module(caller) if caller is not None else "", module, name)
        if move.caller != module:
            self.moves[self._section].append(move)
        if name == "emit" and module == "runtime.reporter":
            emitted = str(frame.f_locals["name"])
            self.ways[self._section].append((emitted, *self._way(frame)))
            if emitted == "poolwitness.verdict":
                self.stop()

    def _way(self, frame: FrameType | None) -> list[str]:
        """The counted modules on the stack, outermost first."""
        way: list[str] = []
        while frame is not None:
            module = self._module(frame)
            if module and way[:1] != [module]:
                way.insert(0, module)
            frame = frame.f_back
        return way

    def _module(self, frame: FrameType) -> str:
        root, _, module = str(frame.f_globals.get("__name__", "")).partition(".")
        return module if root == "poolwitness" and module.partition(".")[0] in self.packages else ""


def main() -> None:
    """Run the program; what was recorded is printed at its end."""
    parser = argparse.ArgumentParser(description="Count moves between the agent's modules.")
    parser.add_argument("--list", action="store_true", help="list each move")
    parser.add_argument("--packages", default=",".join(ORCHESTRATION), help="whose modules are counted")
    arguments = parser.parse_args()
    recorder = Recorder(tuple(arguments.packages.split(",")))

    # Registered before the agent's callback, so that it runs after it.
    atexit.register(show, recorder, arguments.list)
    import poolwitness

    poolwitness.activate(output=f"file:{os.devnull}", format="json", close="1")
    from psycopg_pool import ConnectionPool

    recorder.start(FIRST)
    first = ConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, num_workers=1, open=True)
    recorder.stop()
    recorder.start(LATER)
    later = ConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, num_workers=1, open=True)
    recorder.stop()
    later.close()
    kept.append(first)
    recorder.start(EXIT)


# Open until the end.
kept: list[object] = []


def show(recorder: Recorder, with_moves: bool) -> None:
    """Print what was recorded."""
    recorder.stop()
    for section, moves in recorder.moves.items():
        modules = {move.module for move in moves} | {move.caller for move in moves if move.caller}
        print(f"{section}: {len(modules)} modules, {len(moves)} moves")
        for event, *way in recorder.ways[section]:
            print(f"    {event}: {' -> '.join(way)}")
        for move in moves if with_moves else ():
            print(f"    {move.caller or '(the program)'} -> {move.module}.{move.function}")


if __name__ == "__main__":
    main()
