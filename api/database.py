"""The API's own SQLite file: people, sessions, keys and the audit chain."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    login TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, language TEXT NOT NULL,
    password TEXT NOT NULL, must_change INTEGER NOT NULL, is_active INTEGER NOT NULL,
    made_ns INTEGER NOT NULL, last_login_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS session (
    hash TEXT PRIMARY KEY, login TEXT NOT NULL, made_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS api_key (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, login TEXT NOT NULL, name TEXT NOT NULL,
    permissions TEXT NOT NULL, made_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL,
    used_ns INTEGER NOT NULL, is_revoked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS proposal (plan TEXT PRIMARY KEY, login TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, person TEXT NOT NULL, key TEXT NOT NULL,
    address TEXT NOT NULL, action TEXT NOT NULL, thing TEXT NOT NULL, result TEXT NOT NULL,
    details TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS audit_keeps BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
"""


class Database:
    """One SQLite file in WAL mode, readable by its owner only; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Database:
        """Open or create the file; RuntimeError if a newer version wrote it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self.path.chmod(0o600)
        connection = sqlite3.connect(
            self.path, check_same_thread=False, timeout=30, isolation_level=None
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            connection.close()
            raise RuntimeError(
                f"{self.path}: written by a newer version (schema {version}, this one reads up to"
                f" {_VERSION}); update Mimawari or choose another state_dir"
            )
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version={_VERSION}")
        self._connection = connection
        return self

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that nobody else writes beside: all of it or nothing."""
        with self._lock:
            connection = self._opened()
            if connection.in_transaction:
                raise RuntimeError("a transaction of api.db is already open in this thread")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._opened().execute(query, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"{self.path}: the database is not open")
        return self._connection
