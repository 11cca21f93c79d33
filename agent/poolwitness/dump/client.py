"""The asking end of the dump protocol: reads the answer of a process from its socket."""

from __future__ import annotations

import socket
import time

from poolwitness.dump.address import Address, address_of
from poolwitness.dump.socket import END_OF_ANSWER, peer_of

MOST_BYTES = 64 * 1024 * 1024
_WHOLE = b"\n" + END_OF_ANSWER


class NotListening(Exception):
    """No agent listens in that process."""


class NoAnswer(Exception):
    """An agent listens but did not answer in time."""


def ask(pid: int, uid: int, deadline_mono: float, address: Address = b"") -> bytes:
    """Ask the agent of a process for its state: JSON lines and an empty line.

    Raises:
        NotListening: no process listens there, or another one does.
        NoAnswer: the time is up, or the socket was closed.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise NotListening
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(_left(deadline_mono))
            connection.connect(address or address_of(pid, uid))
            peer = peer_of(connection)
        except TimeoutError:
            raise NoAnswer from None
        except OSError:
            raise NotListening from None
        if peer is not None and peer[0] != pid:
            raise NotListening
        answer = bytearray()
        try:
            while not answer.endswith(_WHOLE) and len(answer) < MOST_BYTES:
                connection.settimeout(_left(deadline_mono))
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                answer += piece
        except OSError:  # the time is up, or the process has ended
            pass
        if not answer.endswith(_WHOLE):
            raise NoAnswer
        return bytes(answer)


def _left(deadline_mono: float) -> float:
    return max(0.001, deadline_mono - time.monotonic())
