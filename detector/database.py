"""One SQLite file: opened for one process or several, written in whole transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class UnusableState(RuntimeError):
    """A database that cannot be worked on; the message says which file and what to do."""


class Database:
    """A file in WAL mode, readable by its owner only; safe to use from several threads.

    `schema` makes what is not there yet; `version` is its number, kept in the file.
    """

    def __init__(self, path: Path, schema: str, version: int) -> None:
        self.path = path
        self._schema = schema
        self._version = version
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Database:
        """Open or create the file; UnusableState if it is no database, or a newer version's."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self.path.chmod(0o600)
        connection = sqlite3.connect(
            self.path, check_same_thread=False, timeout=30, isolation_level=None
        )
        connection.row_factory = sqlite3.Row
        try:
            self._prepare(connection)
        except sqlite3.Error as fault:
            connection.close()
            raise UnusableState(
                f"{self.path}: {fault}; see that it can be written and has room, or move it away"
                " and begin with an empty one"
            ) from fault
        except UnusableState:
            connection.close()
            raise
        self._connection = connection
        return self

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make what is not there yet."""
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > self._version:
            raise UnusableState(
                f"{self.path}: written by a newer version (schema {version}, this one reads up to"
                f" {self._version}); update Mimawari or choose another state_dir"
            )
        connection.executescript(self._schema)
        connection.execute(f"PRAGMA user_version={self._version}")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when it ends: all of it or nothing.

        It begins before the first read, so that what is read is still true when it is written.
        Within another of this thread it is part of that one.
        """
        with self._lock:
            connection = self._opened()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite itself rolls back on some faults
                    connection.execute("ROLLBACK")
                raise

    def read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._opened().execute(query, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"{self.path}: the database is not open")
        return self._connection
