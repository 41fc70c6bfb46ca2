"""Whole transactions, also one within another, and a file that nobody else may read."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from detector.database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS word (told TEXT)"


def test_a_transaction_within_another_is_part_of_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA, 1).open()

    def inner() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO word VALUES ('inner')")

    with pytest.raises(KeyError), database.write() as connection:
        connection.execute("INSERT INTO word VALUES ('outer')")
        inner()
        raise KeyError
    assert database.read("SELECT told FROM word") == []
    with database.write():
        inner()
    assert [told for (told,) in database.read("SELECT told FROM word")] == ["inner"]
    database.close()


def test_what_could_not_be_committed_is_gone_and_the_next_transaction_is_whole(
    tmp_path: Path,
) -> None:
    schema = """
        PRAGMA foreign_keys = ON;
        CREATE TABLE IF NOT EXISTS word (told TEXT PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS heard (
            told TEXT REFERENCES word DEFERRABLE INITIALLY DEFERRED);
    """
    database = Database(tmp_path / "a.db", schema, 1).open()
    with pytest.raises(sqlite3.IntegrityError), database.write() as connection:
        connection.execute("INSERT INTO heard VALUES ('unknown')")
    with database.write() as connection:
        connection.execute("INSERT INTO word VALUES ('kept')")
    database.close()
    again = Database(tmp_path / "a.db", schema, 1).open()
    assert [told for (told,) in again.read("SELECT told FROM word")] == ["kept"]
    assert again.read("SELECT told FROM heard") == []
    again.close()


def test_a_fault_that_sqlite_rolls_back_itself_is_told_as_it_is(tmp_path: Path) -> None:
    unique = "CREATE TABLE IF NOT EXISTS word (told TEXT UNIQUE ON CONFLICT ROLLBACK)"
    database = Database(tmp_path / "a.db", unique, 1).open()
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"), database.write() as connection:
        connection.execute("INSERT INTO word VALUES ('x')")
        connection.execute("INSERT INTO word VALUES ('x')")
    database.close()


def test_the_file_and_its_journal_are_the_owners_only(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA, 1).open()
    with database.write() as connection:
        connection.execute("INSERT INTO word VALUES ('x')")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm"), 0o600)
    database.close()
