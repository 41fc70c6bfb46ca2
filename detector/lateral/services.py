"""Services that a client makes and ends on another host by remote call."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

#: Operations of SVCCTL (MS-SCMR §3.1.4): create in all its forms; control and delete.
_MAKE_SERVICE: Final = frozenset({12, 24, 44, 45, 60})
_END_SERVICE: Final = frozenset({1, 2, 50, 51})


@dataclass
class Services:
    """Services that a client made on a host, and how many it stopped or deleted there."""

    made: int = 0
    ended: Counter[int] = field(default_factory=Counter)

    def tidies(self, operation: int) -> bool:
        """Does this call end a service that the client made itself, as PsExec does when it goes?

        Whose the service is stands in no call; they are counted.
        """
        self.made += operation in _MAKE_SERVICE
        if operation not in _END_SERVICE:
            return False
        self.ended[operation] += 1
        return self.ended[operation] <= self.made
