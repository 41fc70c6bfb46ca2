"""What a registered line may reach: address or prefix, optional port."""

from __future__ import annotations

import re


def split_target(target: str) -> tuple[str, int | None]:
    """Part `address[:port]` or `[v6]:port`; the port is None where there is none."""
    found = re.fullmatch(r"\[(.+)\]:(\d+)|([^:]+):(\d+)", target)
    if found is None:
        return target.strip("[]"), None
    return found[1] or found[3], int(found[2] or found[4])
