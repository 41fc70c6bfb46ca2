"""The first start makes one admin with a random one-time password; there is no default one."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from api.accounts import Accounts
from api.audit import Audit
from api.passwords import Passwords, one_time_password

FIRST_LOGIN = "admin"
_log = structlog.get_logger("first_start")


def make_first_admin(
    accounts: Accounts, passwords: Passwords, audit: Audit, state_dir: Path
) -> Path | None:
    """If nobody has an account yet, make `admin` and leave the password in a file for its owner.

    The file goes away when the password has been changed. The log names the file, not the password.
    """
    file = first_login_file(state_dir)
    if accounts.all():
        return None
    password = one_time_password()
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as written:
        written.write(f"login: {FIRST_LOGIN}\npassword: {password}\n")
        written.flush()
        os.fsync(written.fileno())
    accounts.add(
        FIRST_LOGIN, "最初の管理者 / first admin", ["admin"], "ja", passwords.hash(password)
    )
    audit.write(
        "person.create", f"account/{FIRST_LOGIN}", "allowed", person="(first start)", address=""
    )
    _log.warning("first start: log in with what stands in this file", file=str(file))
    return file


def first_login_file(state_dir: Path) -> Path:
    """Where the first one-time password stands until it has been changed."""
    return state_dir / "first-login.txt"
