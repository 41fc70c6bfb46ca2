"""Why a use case did not happen; routes and pages turn these into their own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class Fault(Exception):
    """The base of all refusals; `kind` is stable and names the sort of problem."""

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused"

    def __init__(self, detail: str, faults: Sequence[str] = (), retry_after_s: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.retry_after_s = retry_after_s


class NotLoggedIn(Fault):
    status = 401
    kind = "not-logged-in"
    title = "Log in first"


class WrongLogin(Fault):
    """Says the same for a wrong password, an unknown name and a disabled account."""

    status = 401
    kind = "wrong-login"
    title = "The login or the password is wrong"


class NotAllowed(Fault):
    status = 403
    kind = "not-allowed"
    title = "Your roles do not allow this"


class PasswordChangeDue(Fault):
    status = 403
    kind = "password-change-due"
    title = "Choose your own password first"


class CrossSite(Fault):
    status = 403
    kind = "cross-site"
    title = "The request came from another site"


class NotFound(Fault):
    status = 404
    kind = "not-found"
    title = "There is no such thing"


class Conflict(Fault):
    status = 409
    kind = "conflict"
    title = "The present state does not allow this"


class TooLarge(Fault):
    status = 413
    kind = "too-large"
    title = "The request is too large"


class Unacceptable(Fault):
    """The input has faults; all of them stand in `faults`."""

    status = 422
    kind = "unacceptable"
    title = "The input has faults"


class TooMany(Fault):
    status = 429
    kind = "too-many"
    title = "Too many attempts; wait a while"


class Unavailable(Fault):
    status = 503
    kind = "unavailable"
    title = "This cannot be done right now"
