"""Use cases of people and their API keys: individual names, never a shared password."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import get_args

from api.accounts import Account, Accounts, ApiKey
from api.faults import Conflict, NotAllowed, NotFound, Unacceptable
from api.passwords import Passwords, one_time_password
from api.people import Language, Person
from api.permissions import KEY_PERMISSIONS, ROLES, Permission
from api.services.gate import Gate
from api.services.login import plain_login
from api.settings import ApiSettings

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
_DAY_NS = 86_400_000_000_000
_MOST_KEYS = 20  # of one person, revoked and lapsed ones not counted


class PeopleService:
    """Create, change and close accounts; make and revoke keys."""

    def __init__(
        self,
        accounts: Accounts,
        gate: Gate,
        passwords: Passwords,
        settings: ApiSettings,
        now_ns: Callable[[], int],
    ) -> None:
        self._accounts = accounts
        self._gate = gate
        self._passwords = passwords
        self._key_days = settings.key_days
        self._now_ns = now_ns
        self._lock = Lock()

    def find(self, person: Person | None) -> list[Account]:
        """All accounts, without their passwords. Needs people.manage."""
        self._gate.look(person, "people.manage", "people.list")
        return [replace(account, password="") for account in self._accounts.all()]

    def create(
        self,
        person: Person | None,
        login: str,
        name: str,
        roles: Sequence[str],
        language: str = "ja",
    ) -> tuple[Account, str]:
        """Make an account and its one-time password. Needs people.manage."""
        with self._gate.act(
            person, "people.manage", "person.create", f"account/{login}", roles=list(roles)
        ):
            login, name = plain_login(login), name.strip()
            faults = _role_faults(roles)
            if not _LOGIN.fullmatch(login):
                faults.append("login: 2 to 64 of a-z, 0-9, '.', '_', '@', '-'")
            if not 1 <= len(name) <= 100:
                faults.append("name: 1 to 100 characters")
            if language not in get_args(Language):
                faults.append(f"language: must be ja or en, got {language!r}")
            if faults:
                raise Unacceptable("the account has faults", faults)
            password = one_time_password()
            hashed = self._passwords.hash(password)
            if not self._accounts.add(login, name, roles, language, hashed):  # type: ignore[arg-type]  # checked
                raise Conflict(f"the login {login} is taken")
            return self._get(login), password

    def set_roles(self, person: Person | None, login: str, roles: Sequence[str]) -> Account:
        """Give a person these roles instead. Needs people.manage."""
        with self._gate.act(
            person, "people.manage", "person.roles", f"account/{login}", roles=list(roles)
        ):
            faults = _role_faults(roles)
            if faults:
                raise Unacceptable("the roles have faults", faults)
            with self._lock:
                account = self._get(login)
                if "admin" not in roles:
                    self._keep_an_admin(account)
                self._accounts.change(account.login, roles=sorted(set(roles)))
            return self._get(login)

    def set_active(self, person: Person | None, login: str, is_active: bool) -> Account:
        """Close an account, or open it again; closing ends its sessions. Needs people.manage."""
        action = "person.open" if is_active else "person.close"
        with self._gate.act(person, "people.manage", action, f"account/{login}"):
            with self._lock:
                account = self._get(login)
                if not is_active:
                    self._keep_an_admin(account)
                self._accounts.change(account.login, is_active=int(is_active))
            if not is_active:
                self._accounts.end_sessions(account.login)
            return self._get(login)

    def reset_password(self, person: Person | None, login: str) -> str:
        """Give a new one-time password; all sessions of the account end. Needs people.manage."""
        with self._gate.act(person, "people.manage", "person.reset", f"account/{login}"):
            account = self._get(login)
            password = one_time_password()
            hashed = self._passwords.hash(password)
            self._accounts.change(account.login, password=hashed, must_change=1)
            self._accounts.end_sessions(account.login)
            return password

    def keys(self, person: Person | None) -> list[ApiKey]:
        """One's own keys; everybody's for who has people.manage. Needs keys.own."""
        owner = self._gate.look(person, "keys.own", "keys.list")
        return self._accounts.keys("" if owner.may("people.manage") else owner.login)

    def create_key(
        self, person: Person | None, name: str, permissions: Sequence[str], days: int
    ) -> tuple[ApiKey, str]:
        """Make a key of one's own; the secret is shown this once. Needs keys.own."""
        with self._gate.act(
            person, "keys.own", "key.create", name, permissions=list(permissions), days=days
        ) as owner:
            faults = []
            if not 1 <= len(name.strip()) <= 100:
                faults.append("name: 1 to 100 characters")
            if not 1 <= days <= self._key_days:
                faults.append(f"days: must be 1 to {self._key_days}, got {days}")
            if not permissions:
                faults.append("permissions: name at least one")
            faults += [
                f"permissions: {p!r} cannot be given to a key"
                for p in permissions
                if p not in KEY_PERMISSIONS or p not in owner.permissions
            ]
            now = self._now_ns()
            alive = [k for k in self._accounts.keys(owner.login) if is_alive(k, now)]
            if len(alive) >= _MOST_KEYS:
                faults.append(f"keys: at most {_MOST_KEYS} of one person; revoke one first")
            if faults:
                raise Unacceptable("the key has faults", faults)
            chosen: list[Permission] = [p for p in KEY_PERMISSIONS if p in permissions]
            return self._accounts.add_key(owner.login, name.strip(), chosen, now + days * _DAY_NS)

    def revoke_key(self, person: Person | None, key_id: str) -> None:
        """End a key of one's own; with people.manage, anybody's. Needs keys.own."""
        with self._gate.act(person, "keys.own", "key.revoke", f"key/{key_id}") as owner:
            key = next((k for k in self._accounts.keys("") if k.id == key_id), None)
            if key is None:
                raise NotFound(f"there is no key {key_id[:40]!r}")
            if key.login != owner.login and not owner.may("people.manage"):
                raise NotAllowed("this key is another person's")
            self._accounts.revoke_key(key_id)

    def _get(self, login: str) -> Account:
        account = self._accounts.get(plain_login(login))
        if account is None:
            raise NotFound(f"there is no account {login[:64]!r}")
        return replace(account, password="")

    def _keep_an_admin(self, leaving: Account) -> None:
        admins = {a.login for a in self._accounts.all() if a.is_active and "admin" in a.roles}
        if admins == {leaving.login}:
            raise Conflict("this is the last admin; make another one first")


def is_alive(key: ApiKey, now_ns: int) -> bool:
    return not key.is_revoked and now_ns < key.until_ns


def _role_faults(roles: Sequence[str]) -> list[str]:
    faults = [f"roles: {r!r} is none of {', '.join(ROLES)}" for r in roles if r not in ROLES]
    return faults or ([] if roles else ["roles: name at least one"])
