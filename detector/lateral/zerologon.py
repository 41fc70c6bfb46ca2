"""Netlogon handshakes of one client with one controller, and when they are Zerologon (MS-NRPC)."""

from __future__ import annotations

from collections import deque
from typing import Final

from collector.sightings import Dcerpc

_MINUTE_NS: Final = 60_000_000_000
#: NetrServerReqChallenge, and NetrServerAuthenticate with its later forms.
_CHALLENGE, _HANDSHAKE = 4, frozenset({4, 5, 15, 26})
#: NetrServerPasswordSet and its later form.
_PASSWORD_SET: Final = frozenset({6, 30})
#: A member renews its password after one handshake, or a second that falls back to an older form.
_TRIES_BEFORE_SET: Final = 4


class Handshakes:
    """The handshakes of the last minute; one try of 256 succeeds, so the attack may end early."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=4096)

    @property
    def tries(self) -> int:
        return len(self._times) // 2

    def note(self, call: Dcerpc, least: int) -> bool:
        """Take a Netlogon call; true if it makes Zerologon, `least` tries doing so by themselves.

        Fewer tell when they end in a new password. One is enough whose challenge has one byte
        repeated, which the attack needs and chance brings once in four milliards.
        """
        if call.operation in _HANDSHAKE:
            self._times.append(call.time_ns)
        recent = sum(call.time_ns - time_ns <= _MINUTE_NS for time_ns in self._times)
        if call.operation in _PASSWORD_SET:
            return recent >= 2 * _TRIES_BEFORE_SET
        if call.operation == _CHALLENGE and call.is_challenge_constant:
            return True
        return call.operation in _HANDSHAKE and recent >= 2 * least
