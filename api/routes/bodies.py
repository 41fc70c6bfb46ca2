"""What the API says and takes: the models of which OpenAPI is made."""

from __future__ import annotations

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.accounts import Account, ApiKey
from api.audit import Entry
from api.paging import Page
from api.people import Language, Person
from api.permissions import Permission, Role
from detector.alerts import Severity, State
from detector.detection import Category

T = TypeVar("T")


class Told(BaseModel):
    """An answer: immutable, made from the records of the use cases."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Asked(BaseModel):
    """A request's body: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PageBody(Told, Generic[T]):
    """Some items; give `next_cursor` as `cursor` to get the next ones, "" = the end."""

    items: list[T]
    next_cursor: str = ""

    @classmethod
    def of(cls, page: Page[Any], items: list[T]) -> Self:
        return cls(items=items, next_cursor=page.next_cursor)


class ProblemBody(Told):
    """RFC 9457 problem; `errors` lists every fault of the input."""

    type: str = Field(description="urn:mimawari:problem:… names the sort of problem, stable")
    status: int
    title: str
    detail: str
    errors: list[str] = []
    request_id: str = Field("", description="under which the log tells more")


class TextBody(Told):
    ja: str
    en: str


class PartyBody(Told):
    ip: str
    mac: str
    name: str
    role: str
    asset: str = Field("", description="lasting id of the machine, where its MAC tells it")


class FlowKeyBody(Told):
    first_ns: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    protocol: int


class EvidenceBody(Told):
    flows: list[FlowKeyBody]
    warmth: float = Field(description="0 cold … 1: how warm the baseline behind it was")


class AlertBody(Told):
    """The alert of the command line's JSON as well (schema 1)."""

    type: Literal["alert"]
    schema_: int = Field(alias="schema")
    id: str
    detector: str
    variant: str
    category: Category
    techniques: list[str] = Field(description="MITRE ATT&CK")
    severity: Severity
    score: float = Field(description="0-100")
    confidence: float = Field(description="0-1")
    first_ns: int = Field(description="ns since 1970 UTC")
    last_ns: int = Field(description="ns since 1970 UTC")
    source: PartyBody
    targets: list[PartyBody]
    line: str
    app: str
    facts: dict[str, Any]
    title: TextBody
    why: TextBody
    next_step: TextBody
    evidence: EvidenceBody
    count: int
    state: State
    state_reason: str
    state_by: str
    incident: str


class AlertCount(Told):
    severity: str
    state: str
    count: int


class Judgement(Asked):
    state: Literal["acknowledged", "true", "benign_explained", "false", "suppressed"]
    reason: str = Field("", max_length=1000, description="needed for all but acknowledged")


class PersonBody(Told):
    """Who asks."""

    login: str
    name: str
    roles: list[Role]
    permissions: list[Permission]
    language: Language
    must_change_password: bool

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(
            login=person.login,
            name=person.name,
            roles=sorted(person.roles),
            permissions=sorted(person.permissions),
            language=person.language,
            must_change_password=person.must_change_password,
        )


class AccountBody(Told):
    login: str
    name: str
    roles: list[Role]
    language: Language
    must_change: bool
    is_active: bool
    made_ns: int
    last_login_ns: int = Field(description="0 = never")

    @classmethod
    def of(cls, account: Account) -> Self:
        return cls.model_validate({**account.__dict__, "roles": sorted(account.roles)})


class KeyBody(Told):
    id: str
    login: str
    name: str
    permissions: list[Permission]
    made_ns: int
    until_ns: int
    used_ns: int = Field(description="0 = never")
    is_revoked: bool

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls.model_validate({**key.__dict__, "permissions": sorted(key.permissions)})


class EntryBody(Told):
    """One entry of the audit chain."""

    number: int
    at_ns: int
    person: str
    key: str
    address: str
    action: str
    thing: str
    result: str
    details: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate({**entry.__dict__})


class Count(Told):
    count: int
