"""Where something is: a line of code, a stack, a database."""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than all the rest.

from typing import NamedTuple


class Frame(NamedTuple):
    """One frame of a stack: where it is and whose code it is."""

    file: str
    line: int
    function: str
    kind: str

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


class Stack(NamedTuple):
    """A named stack, innermost frame first, and its origin: the application's line.

    ``caller`` is the application's line that called the origin, where it is known. ``suspended`` where the origin is a
    generator's, as of a context manager: it stands there while its caller goes on.
    """

    frames: tuple[Frame, ...]
    origin: Frame | None
    caller: Frame | None = None
    suspended: bool = False

    @property
    def place(self) -> str:
        """``file:line`` of the origin; empty where it is not known."""
        return self.origin.place if self.origin is not None else ""

    @property
    def application(self) -> tuple[Frame, ...]:
        """The application's own frames, innermost first."""
        return tuple(frame for frame in self.frames if frame.kind == "application")

    @property
    def holding(self) -> Frame | None:
        """The application's frame that is there for as long as what was taken is held."""
        return self.caller or self.origin if self.suspended else self.origin


class Database(NamedTuple):
    """Where a pool connects to: never a password, never a whole conninfo."""

    host: str | None = None
    port: int | None = None
    dbname: str | None = None
    user: str | None = None

    @property
    def known(self) -> bool:
        """Whether it says which database it is."""
        return self.host is not None or self.dbname is not None
