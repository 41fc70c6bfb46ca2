"""What one client asked one host about who and what exists (SAMR, LSA, shares, sessions)."""

from __future__ import annotations

from typing import Final

from collector.sightings import Dcerpc
from detector.lateral.rpc_rules import (
    BY_KIND,
    ENUMERATION,
    ENUMERATION_BESIDE,
    ENUMERATION_TECHNIQUES,
    LSARPC,
    SENSITIVE_ENUMERATION,
)

_LOOKUP_SIDS: Final = frozenset({15, 57, 76})
#: A domain's SID in a LookupSids request: pointer, count, head and five sub-authorities (MS-LSAT).
_SID_BYTES: Final = 36
#: A walk over a domain's numbers asks for thousands; showing a folder's rights, for a handful.
_LEAST_SIDS: Final = 400


class Asked:
    """The kinds of things asked for, when last, and how many SIDs were to be named."""

    __slots__ = ("_sids", "is_sensitive", "kinds", "last_ns", "techniques")

    def __init__(self) -> None:
        self.kinds: dict[str, None] = {}
        self.techniques: dict[str, None] = {}
        self.is_sensitive = False
        self.last_ns = -(1 << 62)  # never yet
        self._sids = 0

    @property
    def is_walk(self) -> bool:
        """Names were asked for a domain's SIDs one after another (RID cycling)."""
        return self._sids >= _LEAST_SIDS

    def note(self, call: Dcerpc, interface: str, operation: int) -> bool:
        """Take a call; true if it is one to tell of."""
        key = (interface, operation)
        kind = ENUMERATION.get(key) or ENUMERATION_BESIDE.get(key)
        if kind is None:
            return False
        self.kinds[kind] = None
        self.techniques.update(
            dict.fromkeys(BY_KIND.get(kind) or ENUMERATION_TECHNIQUES[interface])
        )
        is_lookup = interface == LSARPC and operation in _LOOKUP_SIDS
        self._sids += max(1, call.stub_bytes // _SID_BYTES) if is_lookup else 0
        self.is_sensitive |= key in SENSITIVE_ENUMERATION or (is_lookup and self.is_walk)
        if key not in ENUMERATION and not (is_lookup and self.is_walk):
            return False
        self.last_ns = call.time_ns
        return True
