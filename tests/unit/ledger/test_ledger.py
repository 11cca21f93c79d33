"""What finalizers have queued is taken once, and not lost if an exception of the program's lands in between."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from poolwitness.ledger.ledger import _take_each


def test_everything_is_taken_in_order() -> None:
    queue: deque[Any] = deque("abc")
    taken: list[Any] = []
    _take_each(queue, taken.append)
    assert taken == ["a", "b", "c"]
    assert not queue


def test_what_the_program_interrupts_is_queued_again() -> None:
    queue: deque[Any] = deque("abc")
    taken: list[Any] = []

    def interrupted(ref: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _take_each(queue, interrupted)
    _take_each(queue, taken.append)
    assert taken == ["a", "b", "c"]


@pytest.mark.parametrize("error", [IndexError, ValueError])
def test_what_fails_by_itself_is_not_taken_again(error: type[Exception]) -> None:
    queue: deque[Any] = deque("abc")

    def failing(ref: Any) -> None:
        raise error

    with pytest.raises(error):
        _take_each(queue, failing)
    assert list(queue) == ["b", "c"]
