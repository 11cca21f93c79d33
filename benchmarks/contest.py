"""Programs that run side by side and take turns, so that what disturbs one disturbs them all."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

PROGRAMS = Path(__file__).parent / "programs"


class Contestant:
    """A child that does one turn of work for each line it is sent, and answers with a number.

    Args:
        python: its interpreter.
        program: a file of ``programs/``.
        arguments: for the program.
        environ: its whole environment.
    """

    def __init__(self, python: Path, program: str, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            [str(python), str(PROGRAMS / program), *arguments],
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Contestant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()

    def turn(self, order: str = "go") -> float:
        """One turn.

        Args:
            order: a word for the program, which says in its docstring what it knows.

        Raises:
            RuntimeError: the program has ended.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(order + "\n")
        except BrokenPipeError:
            pass
        answer = self._child.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._child.args!r} ended with status {self._child.wait()} in the middle")
        return float(answer)


def interleave(
    contestants: Mapping[str, Contestant], rounds: int, order: str = "go", warm_up: int = 3
) -> dict[str, list[float]]:
    """Let each take its turn, round after round.

    Args:
        contestants: by name.
        rounds: how many turns of each count.
        order: what they are told.
        warm_up: rounds before that do not count.

    Returns:
        The answers by name, in order.
    """
    answers: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(warm_up + rounds):
        for name, contestant in contestants.items():
            answer = contestant.turn(order)
            if number >= warm_up:
                answers[name].append(answer)
    return answers
