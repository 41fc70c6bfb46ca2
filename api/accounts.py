"""Accounts, sessions and API keys as they are stored; who may touch them is decided elsewhere."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.people import Language
from api.permissions import Permission, Role
from detector.database import Database

_MOST_SESSIONS = 10  # of one account; the oldest goes
_TOUCH_NS = 60 * 1_000_000_000  # a session's or key's last use is written once a minute
KEY_PREFIX = "mimawari_"


@dataclass(frozen=True)
class Account:
    """One person's account; a name is one human being's, never shared."""

    login: str
    name: str
    roles: frozenset[Role]
    language: Language
    must_change: bool
    is_active: bool
    made_ns: int
    last_login_ns: int
    password: str = field(default="", repr=False)  # Argon2id hash


@dataclass(frozen=True)
class ApiKey:
    """One API key; its secret was shown once and is not stored."""

    id: str
    login: str
    name: str
    permissions: frozenset[Permission]
    made_ns: int
    until_ns: int
    used_ns: int
    is_revoked: bool


@dataclass(frozen=True)
class Session:
    """One login; `hash` stands for the token that only the browser has."""

    hash: str
    login: str
    made_ns: int
    used_ns: int


class Accounts:
    """The tables account, session and api_key."""

    def __init__(self, database: Database, now_ns: Callable[[], int]) -> None:
        self._database = database
        self._now_ns = now_ns

    # accounts

    def get(self, login: str) -> Account | None:
        rows = self._database.read("SELECT * FROM account WHERE login = ?", (login,))
        return _account(rows[0]) if rows else None

    def all(self) -> list[Account]:
        return [_account(r) for r in self._database.read("SELECT * FROM account ORDER BY login")]

    def add(
        self, login: str, name: str, roles: Sequence[Role], language: Language, password: str
    ) -> bool:
        """Add an account whose password (a hash) must be changed; False if the login is taken."""
        told = (login, name, json.dumps(sorted(roles)), language, password, 1, 1, self._now_ns(), 0)
        with self._database.write() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO account VALUES (?,?,?,?,?,?,?,?,?)", told
            )
            return done.rowcount == 1

    def change(self, login: str, **columns: Any) -> None:
        """Set roles, is_active, language, name, last_login_ns, or password and must_change."""
        if "roles" in columns:
            columns["roles"] = json.dumps(sorted(columns["roles"]))
        names = ", ".join(f"{c} = ?" for c in columns)
        with self._database.write() as connection:
            connection.execute(
                f"UPDATE account SET {names} WHERE login = ?",  # noqa: S608 - our own names
                (*columns.values(), login),
            )

    # sessions

    def start_session(self, login: str) -> str:
        """Begin a session and return its token; the oldest of too many ends."""
        token, now = secrets.token_urlsafe(32), self._now_ns()
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO session VALUES (?,?,?,?)", (_hash(token), login, now, now)
            )
            connection.execute(
                "DELETE FROM session WHERE login = ?1 AND hash NOT IN (SELECT hash FROM session"
                " WHERE login = ?1 ORDER BY used_ns DESC, rowid DESC LIMIT ?2)",
                (login, _MOST_SESSIONS),
            )
        return token

    def session(self, token: str) -> Session | None:
        rows = self._database.read("SELECT * FROM session WHERE hash = ?", (_hash(token),))
        return Session(**dict(rows[0])) if rows else None

    def touch_session(self, session: Session) -> None:
        if self._now_ns() - session.used_ns >= _TOUCH_NS:
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE session SET used_ns = ? WHERE hash = ?", (self._now_ns(), session.hash)
                )

    def end_session(self, session_hash: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM session WHERE hash = ?", (session_hash,))

    def end_sessions(self, login: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM session WHERE login = ?", (login,))

    def sweep_sessions(self, used_before_ns: int, made_before_ns: int) -> None:
        """Forget sessions that have run out."""
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM session WHERE used_ns < ? OR made_ns < ?",
                (used_before_ns, made_before_ns),
            )

    # API keys

    def add_key(
        self, login: str, name: str, permissions: Sequence[Permission], until_ns: int
    ) -> tuple[ApiKey, str]:
        """Make a key; its secret is returned here and never again."""
        secret, key_id = KEY_PREFIX + secrets.token_urlsafe(32), "k" + secrets.token_hex(6)
        told = json.dumps(sorted(permissions))
        now = self._now_ns()
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO api_key VALUES (?,?,?,?,?,?,?,?,?)",
                (key_id, _hash(secret), login, name, told, now, until_ns, 0, 0),
            )
        return ApiKey(key_id, login, name, frozenset(permissions), now, until_ns, 0, False), secret

    def key(self, secret: str) -> ApiKey | None:
        rows = self._database.read("SELECT * FROM api_key WHERE hash = ?", (_hash(secret),))
        return _key(rows[0]) if rows else None

    def keys(self, login: str = "") -> list[ApiKey]:
        """Keys of one account, or of all."""
        rows = self._database.read(
            "SELECT * FROM api_key WHERE ? IN ('', login) ORDER BY made_ns, id", (login,)
        )
        return [_key(row) for row in rows]

    def touch_key(self, key: ApiKey) -> None:
        if self._now_ns() - key.used_ns >= _TOUCH_NS:
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE api_key SET used_ns = ? WHERE id = ?", (self._now_ns(), key.id)
                )

    def revoke_key(self, key_id: str) -> None:
        with self._database.write() as connection:
            connection.execute("UPDATE api_key SET is_revoked = 1 WHERE id = ?", (key_id,))


def _hash(token: str) -> str:
    """Tokens are long and random, so one plain hash is enough; a stolen file opens nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _account(row: sqlite3.Row) -> Account:
    told = dict(row)
    return Account(
        **{
            **told,
            "roles": frozenset(json.loads(told["roles"])),
            "must_change": bool(told["must_change"]),
            "is_active": bool(told["is_active"]),
        }
    )


def _key(row: sqlite3.Row) -> ApiKey:
    told = {k: v for k, v in dict(row).items() if k != "hash"}
    permissions = frozenset(json.loads(told.pop("permissions")))
    revoked = bool(told.pop("is_revoked"))
    return ApiKey(**told, permissions=permissions, is_revoked=revoked)
