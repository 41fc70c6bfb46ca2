"""A person as the use cases see one: who asks, what they may do, and from where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from api.permissions import Permission, Role

Language = Literal["ja", "en"]


@dataclass(frozen=True)
class Person:
    """Who asks. Made anew for each request from a session or an API key."""

    login: str
    name: str
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    address: str  # where the request comes from
    language: Language = "ja"
    must_change_password: bool = False
    key: str = ""  # id of the API key; empty in a session
    session: str = field(default="", repr=False)  # hash of the session's token

    def may(self, permission: Permission) -> bool:
        """True if a use case that needs this permission would be allowed."""
        return permission in self.permissions and not self.must_change_password
