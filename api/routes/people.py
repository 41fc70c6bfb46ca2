"""People and their API keys."""

from __future__ import annotations

from pydantic import Field

from api.people import Language
from api.permissions import Permission, Role
from api.routes.bodies import AccountBody, Asked, KeyBody, Told
from api.routes.router import make_router
from api.web.sessions import Asker, UseCases

router = make_router("people")


class NewPerson(Asked):
    login: str = Field(max_length=64)
    name: str = Field(max_length=100)
    roles: list[Role] = Field(max_length=10)
    language: Language = "ja"


class Roles(Asked):
    roles: list[Role] = Field(max_length=10)


class PersonMade(Told):
    account: AccountBody
    one_time_password: str = Field(description="shown this once")


class PasswordReset(Told):
    one_time_password: str = Field(description="shown this once")


class NewKey(Asked):
    name: str = Field(max_length=100, description="what it is for")
    permissions: list[Permission] = Field(max_length=30)
    days: int = Field(ge=1, le=3650, description="after which it ends")


class KeyMade(Told):
    key: KeyBody
    secret: str = Field(description="shown this once; send it as 'Authorization: Bearer …'")


@router.get("/people")
def list_people(asker: Asker, use: UseCases) -> list[AccountBody]:
    """All accounts."""
    return [AccountBody.of(account) for account in use.people.find(asker)]


@router.post("/people", status_code=201)
def create_person(body: NewPerson, asker: Asker, use: UseCases) -> PersonMade:
    """Make an account; its one-time password must be changed at the first login."""
    account, password = use.people.create(asker, body.login, body.name, body.roles, body.language)
    return PersonMade(account=AccountBody.of(account), one_time_password=password)


@router.put("/people/{login}/roles")
def set_roles(login: str, body: Roles, asker: Asker, use: UseCases) -> AccountBody:
    """Give a person these roles instead."""
    return AccountBody.of(use.people.set_roles(asker, login, body.roles))


@router.post("/people/{login}/close")
def close_account(login: str, asker: Asker, use: UseCases) -> AccountBody:
    """Close an account; its sessions end and its keys stop."""
    return AccountBody.of(use.people.set_active(asker, login, False))


@router.post("/people/{login}/open")
def open_account(login: str, asker: Asker, use: UseCases) -> AccountBody:
    """Open a closed account again."""
    return AccountBody.of(use.people.set_active(asker, login, True))


@router.post("/people/{login}/password")
def reset_password(login: str, asker: Asker, use: UseCases) -> PasswordReset:
    """Give a new one-time password; the account's sessions end."""
    return PasswordReset(one_time_password=use.people.reset_password(asker, login))


@router.get("/keys")
def list_keys(asker: Asker, use: UseCases) -> list[KeyBody]:
    """One's own keys; everybody's for an admin."""
    return [KeyBody.of(key) for key in use.people.keys(asker)]


@router.post("/keys", status_code=201)
def create_key(body: NewKey, asker: Asker, use: UseCases) -> KeyMade:
    """Make a key of one's own."""
    key, secret = use.people.create_key(asker, body.name, body.permissions, body.days)
    return KeyMade(key=KeyBody.of(key), secret=secret)


@router.delete("/keys/{key_id}", status_code=204)
def revoke_key(key_id: str, asker: Asker, use: UseCases) -> None:
    """End a key."""
    use.people.revoke_key(asker, key_id)
