"""Passwords: rules, Argon2id hashes, one-time passwords."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cached_property
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 256
#: Letters and digits that cannot be mistaken for each other when read from paper.
_PLAIN = "abcdefghjkmnpqrstuvwxyz23456789"


class Passwords:
    """Hashes and checks with Argon2id, two at a time: each takes 64 MiB for a moment."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=2)
        self._turns = BoundedSemaphore(2)

    @cached_property
    def _nobody(self) -> str:
        """What an unknown login is checked against, so that it takes as long as a known one."""
        return self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        with self._turns:
            return self._hasher.hash(_normal(password))

    def fits(self, password: str, stored: str) -> bool:
        """True if this is the password; an empty `stored` takes as long and never fits."""
        if len(password) > LONGEST:
            password = ""
        with self._turns:
            try:
                self._hasher.verify(stored or self._nobody, _normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return bool(stored)


def password_faults(password: str, login: str) -> list[str]:
    """All that is wrong with a new password: length counts, exotic characters do not."""
    faults = []
    if len(password) < SHORTEST:
        faults.append(f"password: at least {SHORTEST} characters, got {len(password)}")
    if len(password) > LONGEST:
        faults.append(f"password: at most {LONGEST} characters")
    if len(set(password)) < 5:
        faults.append("password: at least 5 different characters")
    if login and login.casefold() in password.casefold():
        faults.append("password: must not contain the login")
    return faults


def one_time_password() -> str:
    """A random password of 20 characters (99 bits), in groups that can be read out loud."""
    drawn = "".join(secrets.choice(_PLAIN) for _ in range(20))
    return "-".join(drawn[i : i + 5] for i in range(0, 20, 5))


def _normal(password: str) -> str:
    # Japanese keyboards may send full-width forms of the same key.
    return unicodedata.normalize("NFKC", password)
