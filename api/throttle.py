"""Slows down guessing: waits grow with each wrong login, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

_SECOND_NS = 1_000_000_000
_LONGEST_S = 15 * 60
_MOST_OVER = 12  # wrong tries that count beyond the free ones; the wait is longest long before
_FORGIVE_ONE_NS = 10 * 60 * _SECOND_NS  # a ward of people who mistype now and then never adds up


@dataclass
class _Tries:
    wrong: int = 0
    last_ns: int = 0


class Throttle:
    """Counts wrong logins per account and address, and per address over all accounts.

    Not per account alone: then anybody could lock a doctor out by guessing wrong on purpose.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        free_tries: int = 5,
        free_tries_per_address: int = 50,
        most: int = 10_000,
    ) -> None:
        self._now_ns = now_ns
        self._limits = (free_tries, free_tries_per_address)
        self._most = most
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._tries)

    def wait_s(self, login: str, address: str) -> int:
        """Seconds until the next try is looked at; 0 = now."""
        with self._lock:
            return max(
                self._wait_s(key, limit)
                for key, limit in zip(_keys(login, address), self._limits, strict=True)
            )

    def count_wrong(self, login: str, address: str) -> None:
        """Remember a wrong login."""
        now = self._now_ns()
        with self._lock:
            for key, limit in zip(_keys(login, address), self._limits, strict=True):
                tries = self._tries.setdefault(key, _Tries())
                forgiven = (now - tries.last_ns) // _FORGIVE_ONE_NS
                tries.wrong = min(limit + _MOST_OVER, max(0, tries.wrong - forgiven) + 1)
                tries.last_ns = now
                self._tries.move_to_end(key)
            while len(self._tries) > self._most:
                self._tries.popitem(last=False)

    def forgive(self, login: str, address: str) -> None:
        """A right login clears the account's count and takes its own try off the address's."""
        own, shared = _keys(login, address)
        with self._lock:
            self._tries.pop(own, None)
            if shared in self._tries:
                self._tries[shared].wrong -= 1

    def _wait_s(self, key: tuple[str, str], free_tries: int) -> int:
        tries = self._tries.get(key)
        if tries is None or tries.wrong < free_tries:
            return 0
        wait_s = min(_LONGEST_S, 1 << min(tries.wrong - free_tries + 1, 20))
        passed_ns = self._now_ns() - tries.last_ns
        return max(0, -(-(wait_s * _SECOND_NS - passed_ns) // _SECOND_NS))


def _keys(login: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (login, address), ("", address)
