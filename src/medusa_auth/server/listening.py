"""The end of a socket that listens: nobody who is connected to it is cut off.

The kernel connects clients by itself and queues them. Whoever is in the queue when the last process closes the socket
is cut off with a reset, so the queue has to be emptied before; and clients come between the last look at it and the
close as well. So the kernel is told first to answer no new client: its system asks again after a second (RFC 6298,
section 2), and finds the next server there, or is refused.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["HANDSHAKE_SECONDS", "accepted", "answer_no_new_clients"]

# Whoever has been answered by the kernel is connected after one more round trip: this is one to another continent.
HANDSHAKE_SECONDS = 0.1

# Linux's asm-generic/socket.h and linux/filter.h; Python has no names for them.
_SO_ATTACH_FILTER = 26
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
# RFC 9293, section 3.1: the flags are in the TCP header's byte 13, SYN is the second of them.
_FLAGS_AT, _SYN = 13, 0x02
_DROP, _KEEP = 0, 0xFFFFFFFF
# Each has a code, how many to skip if it is so and if not, and a value.
_DROP_SYN = (
    (_LOAD_BYTE, 0, 0, _FLAGS_AT),
    (_JUMP_IF_SET, 0, 1, _SYN),
    (_RETURN, 0, 0, _DROP),
    (_RETURN, 0, 0, _KEEP),
)


def answer_no_new_clients(listening: socket.socket) -> None:
    """From now on, in all processes that have the socket; who is connected, or about to be, stays.

    Where the kernel cannot be told (not Linux, or forbidden), clients are let in as before.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in _DROP_SYN))
    with suppress(OSError):
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_DROP_SYN), ctypes.addressof(program))
        )


def accepted(listening: socket.socket) -> Iterator[socket.socket]:
    """All who are in the queue. The socket does not block afterwards."""
    listening.setblocking(False)  # noqa: FBT003 - as the standard library has it
    while True:
        try:
            yield listening.accept()[0]
        except OSError:
            return
