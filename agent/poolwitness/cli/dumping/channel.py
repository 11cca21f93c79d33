"""Ask the agent of a process, at its door."""

from __future__ import annotations

import socket
import time

from poolwitness.dump.address import Address, address_of
from poolwitness.dump.socket import peer_of

MOST_BYTES = 64 * 1024 * 1024


class NobodyThere(Exception):
    """No agent listens in that process."""


class NoAnswer(Exception):
    """An agent listens, and did not answer in time."""


def ask(pid: int, uid: int, deadline_mono: float, address: Address = b"") -> bytes:
    """Ask the agent of a process.

    Args:
        pid: of the process.
        uid: of its user.
        deadline_mono: until when to wait.
        address: of the door, where it is not the usual one.

    Returns:
        The document, one line of JSON.

    Raises:
        NobodyThere: nobody listens, or it is not that process that does.
        NoAnswer: the time is up, or the door was shut.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise NobodyThere
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(_left(deadline_mono))
            connection.connect(address or address_of(pid, uid))
            peer = peer_of(connection)
        except TimeoutError:
            raise NoAnswer from None
        except OSError:
            raise NobodyThere from None
        if peer is not None and peer[0] != pid:
            raise NobodyThere
        answer = bytearray()
        try:
            while not answer.endswith(b"\n") and len(answer) < MOST_BYTES:
                connection.settimeout(_left(deadline_mono))
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                answer += piece
        except OSError:  # the time is up, or the process has ended
            pass
        if not answer.endswith(b"\n"):
            raise NoAnswer
        return bytes(answer)


def _left(deadline_mono: float) -> float:
    return max(0.001, deadline_mono - time.monotonic())
