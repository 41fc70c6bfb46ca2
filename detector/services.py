"""Names of the services that `edges.service_of` numbers."""

from __future__ import annotations

from collector.apps import APPS, app_name


def service_name(service: int) -> str:
    """What `service_of` numbered, in the words of an engineer."""
    if service < 0x4000:
        return app_name(APPS[service]) if service < len(APPS) else str(service)
    kind = {1: "TCP", 2: "UDP"}.get(service >> 14)
    return f"{kind}/{service & 0x3FFF}" if kind else f"IP/{service & 0xFF}"
