"""Work inside SMB3 encryption: what a wire shows of it is the length of each message, in order.

Lengths are those of the messages before encryption (MS-SMB2 §2.2.13-40 with 64 bytes of header), as
they were measured on an encrypted share of Samba with impacket's client: a file read, written anew
and renamed asks 148, 105, 113, 88 · 148, 112 + size, 88 · 148, 116 + twice the new name, 88 and is
answered by 152, 200, 80 + size, 124 · 152, 80, 124 · 152, 66, 124.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from collector.sightings import Smb

#: What is asked, and the answer.
Step = tuple[int, int]
CREATE: Final[Step] = (148, 152)
_OFFICE_CREATE: Final[Step] = (316, 280)  # Windows asks for leases and lasting handles besides
_QUERY: Final[Step] = (105, 200)
_CLOSE: Final[Step] = (88, 124)
_DELETE: Final[Step] = (97, 66)
_SET_TIMES: Final[Step] = (136, 66)
_SET_END: Final[Step] = (104, 66)
_CHUNK: Final = 1 << 20  # the most that Windows and Samba read or write at once


def read(size: int) -> list[Step]:
    return [(113, 80 + part) for part in _parts(size)]


def write(size: int) -> list[Step]:
    return [(112 + part, 80) for part in _parts(size)]


def rename(name: int) -> Step:
    """To a name of so many characters."""
    return 116 + 2 * name, 66


def _parts(size: int) -> list[int]:
    return [_CHUNK] * (size // _CHUNK) + ([size % _CHUNK] if size % _CHUNK else [])


def chained(*steps: Step) -> Step:
    """Requests that travel as one message: each but the last is filled up to eight bytes."""
    *before, last = steps
    ask, answer = (sum(-(-step[way] // 8) * 8 for step in before) + last[way] for way in (0, 1))
    return ask, answer


def encrypting(rng: np.random.Generator, how: str) -> list[Step]:
    """One file: `whole` read, written and renamed; `start` of it in place; `chained` requests."""
    size = int(min(rng.lognormal(np.log(60_000), 1.2), 8e6))
    if how == "whole":
        return [
            CREATE, _QUERY, *read(size), _CLOSE, CREATE, *write(size + 536), _CLOSE,
            CREATE, rename(20), _CLOSE,
        ]  # fmt: skip
    if how == "start":  # the head of the file only, and a trailer at its end, on one handle
        head = min(size, 65_536)
        return [
            _OFFICE_CREATE, _QUERY, *read(head), *write(head), *write(536), rename(24), _CLOSE,
        ]  # fmt: skip
    size = min(size, _CHUNK - 1024)
    return [
        chained(CREATE, *read(size)), chained(*write(size + 536), _CLOSE),
        chained(CREATE, rename(20), _CLOSE),
    ]  # fmt: skip


def opening(rng: np.random.Generator, is_saved: bool) -> list[Step]:
    """Somebody opens a document; an office program saves by another file and two renamings."""
    size = int(min(rng.lognormal(np.log(60_000), 1.2), 8e6))
    steps = [_OFFICE_CREATE, _QUERY, *read(size), _CLOSE]
    if is_saved:
        more = size + int(rng.integers(0, 4000))
        steps += [
            _OFFICE_CREATE, *write(more), _SET_END, _CLOSE,
            _OFFICE_CREATE, rename(18), _CLOSE, _OFFICE_CREATE, rename(16), _CLOSE,
            _OFFICE_CREATE, _DELETE, _CLOSE,
        ]  # fmt: skip
    return steps


def reading(rng: np.random.Generator) -> list[Step]:
    """A backup reads a file and its rights."""
    size = int(min(rng.lognormal(np.log(60_000), 1.2), 8e6))
    return [_OFFICE_CREATE, _QUERY, _QUERY, *read(size), _CLOSE]


def moving(rng: np.random.Generator, is_chained: bool = False) -> list[Step]:
    """A copy within the server that keeps the file's times, then the first one is deleted."""
    size = int(min(rng.lognormal(np.log(60_000), 1.2), 8e6))
    if is_chained:
        size = min(size, _CHUNK - 1024)
        return [
            chained(CREATE, *read(size)), chained(*write(size), _CLOSE),
            chained(CREATE, _SET_TIMES, _CLOSE), chained(CREATE, _DELETE, _CLOSE),
        ]  # fmt: skip
    return [
        _OFFICE_CREATE, _QUERY, *read(size), _OFFICE_CREATE, _SET_END, *write(size), _SET_TIMES,
        _CLOSE, _CLOSE, _OFFICE_CREATE, _DELETE, _CLOSE,
    ]  # fmt: skip


def say(
    asks: Callable[..., object],
    answers: Callable[..., object],
    ends: tuple[int, int],
    when: float,
    steps: list[Step],
    gap_s: float,
) -> float:
    """The messages of `steps` from client to server; when the last one was answered.

    `asks` and `answers` keep a packet (a stage's `tell` and `back`); an answer comes 2 ms after
    what it answers.
    """
    sealed: dict[str, Any] = {"dialect": 2, "command": -1, "is_encrypted": True}
    for ask, answer in steps:
        asks(when, Smb, *ends, 445, is_response=False, sealed_bytes=ask, **sealed)
        answers(when, Smb, *ends, 445, is_response=True, sealed_bytes=answer, **sealed)
        when += gap_s
    return when
