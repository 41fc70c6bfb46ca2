"""The API's own SQLite file: people, sessions, keys and the audit chain."""

from __future__ import annotations

from pathlib import Path

from detector.database import Database

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


def people_database(path: Path) -> Database:
    """The file, not yet open."""
    return Database(path, _SCHEMA, _VERSION)
