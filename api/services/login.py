"""Who is it? Logins, sessions, keys; wrong logins are slowed down and go on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from api.accounts import KEY_PREFIX, Account, Accounts
from api.audit import Audit
from api.faults import NotLoggedIn, TooMany, Unacceptable, WrongLogin
from api.first_start import FIRST_LOGIN, first_login_file
from api.passwords import LONGEST, Passwords, password_faults
from api.people import Person
from api.permissions import permissions_of
from api.settings import ApiSettings
from api.throttle import Throttle

_MINUTE_NS = 60 * 1_000_000_000


@dataclass(frozen=True)
class Login:
    """A login that worked: the token goes into the cookie and nowhere else."""

    token: str
    person: Person


class LoginService:
    """Recognises people."""

    def __init__(
        self,
        accounts: Accounts,
        audit: Audit,
        passwords: Passwords,
        settings: ApiSettings,
        now_ns: Callable[[], int],
    ) -> None:
        self._accounts = accounts
        self._audit = audit
        self._passwords = passwords
        self._throttle = Throttle(now_ns)
        self._idle_ns = settings.session_idle_min * _MINUTE_NS
        self._longest_ns = settings.session_hours * 60 * _MINUTE_NS
        self._first_login = first_login_file(settings.state_dir)
        self._now_ns = now_ns

    def login(self, login: str, password: str, address: str) -> Login:
        """Begin a session; WrongLogin or TooMany say nothing about whether the name exists."""
        login = plain_login(login)
        wait_s = self._throttle.wait_s(login, address)
        if wait_s:
            raise TooMany(f"too many wrong logins; try again in {wait_s} s", retry_after_s=wait_s)
        # Counted before the slow check, so that guesses sent side by side count as well.
        self._throttle.count_wrong(login, address)
        account = self._accounts.get(login)
        stored = account.password if account and account.is_active else ""
        if not self._passwords.fits(password, stored) or account is None:
            self._audit.write("login", f"account/{login}", "refused", person=login, address=address)
            raise WrongLogin("the login or the password is wrong")
        self._throttle.forgive(login, address)
        self._audit.write("login", f"account/{login}", "allowed", person=login, address=address)
        now = self._now_ns()
        self._accounts.sweep_sessions(now - self._idle_ns, now - self._longest_ns)
        self._accounts.change(login, last_login_ns=now)
        token = self._accounts.start_session(login)
        person = self.person_of_session(token, address)
        if person is None:
            raise WrongLogin("the account was closed meanwhile")
        return Login(token, person)

    def logout(self, person: Person | None) -> None:
        """End the session that asks."""
        person = _known(person)
        self._record(person, "logout")
        self._accounts.end_session(person.session)

    def change_password(self, person: Person | None, old: str, new: str) -> Login:
        """Choose one's own password; all sessions end and a new one begins."""
        person = _known(person)
        if person.key:
            raise NotLoggedIn("a password is changed in a session, not with an API key")
        wait_s = self._throttle.wait_s(person.login, person.address)
        if wait_s:
            raise TooMany(f"too many wrong passwords; wait {wait_s} s", retry_after_s=wait_s)
        account = self._accounts.get(person.login)
        if account is None or not self._passwords.fits(old, account.password):
            self._throttle.count_wrong(person.login, person.address)
            self._record(person, "password.change", "refused")
            raise WrongLogin("the present password is wrong")
        faults = password_faults(new, person.login)
        if self._passwords.fits(new, account.password):
            faults.append("password: choose one that differs from the present one")
        if faults:
            raise Unacceptable("the new password has faults", faults)
        self._record(person, "password.change")
        hashed = self._passwords.hash(new)
        self._accounts.change(person.login, password=hashed, must_change=0)
        self._accounts.end_sessions(person.login)
        if person.login == FIRST_LOGIN:
            self._first_login.unlink(missing_ok=True)
        token = self._accounts.start_session(person.login)
        fresh = self.person_of_session(token, person.address)
        return Login(token, _known(fresh))

    def person_of_session(self, token: str, address: str) -> Person | None:
        """The person behind a session's token; None if it ran out or the account is closed."""
        session = self._accounts.session(token) if len(token) <= LONGEST else None
        if session is None:
            return None
        now = self._now_ns()
        if now - session.used_ns > self._idle_ns or now - session.made_ns > self._longest_ns:
            self._accounts.end_session(session.hash)
            return None
        account = self._accounts.get(session.login)
        if account is None or not account.is_active:
            return None
        self._accounts.touch_session(session)
        return _person(account, address, session=session.hash)

    def person_of_key(self, secret: str, address: str) -> Person | None:
        """The person in whose name a key asks; None if it is unknown, revoked or has run out."""
        if not secret.startswith(KEY_PREFIX) or len(secret) > LONGEST:
            return None
        key = self._accounts.key(secret)
        if key is None or key.is_revoked or self._now_ns() >= key.until_ns:
            return None
        account = self._accounts.get(key.login)
        if account is None or not account.is_active:
            return None
        self._accounts.touch_key(key)
        person = _person(account, address)
        # Never more than its owner may at this moment.
        return replace(person, permissions=person.permissions & key.permissions, key=key.id)

    def _record(self, person: Person, action: str, result: str = "allowed") -> None:
        self._audit.write(
            action, f"account/{person.login}", result,  # type: ignore[arg-type]
            person=person.login, key=person.key, address=person.address,
        )  # fmt: skip


def plain_login(login: str) -> str:
    """Logins are kept in lower case, without spaces around."""
    return login.strip().casefold()[:64]


def _known(person: Person | None) -> Person:
    if person is None:
        raise NotLoggedIn("log in first")
    return person


def _person(account: Account, address: str, session: str = "") -> Person:
    return Person(
        login=account.login,
        name=account.name,
        roles=account.roles,
        permissions=permissions_of(account.roles),
        address=address,
        language=account.language,
        must_change_password=account.must_change,
        session=session,
    )
