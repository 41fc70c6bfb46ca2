"""Settings of the API: where it listens, how long a login lasts, what it bounds."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ApiSettings(BaseModel):
    """Safe as it stands: loopback only; other addresses want TLS here or in a proxy before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dir: Path = Field(description="folder of api.db and of the evidence captures")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8642, ge=1, le=65535, description="TCP port to listen on")
    tls_cert: Path | None = Field(None, description="PEM certificate chain")
    tls_key: Path | None = Field(None, description="PEM private key")
    tls_proxy: tuple[str, ...] = Field(
        (), description="addresses of the TLS proxies that stand before it"
    )
    public_origin: str = Field(
        "", description="what browsers see, e.g. https://mimawari.hospital.example"
    )
    session_idle_min: int = Field(30, ge=1, le=24 * 60, description="minutes without a request")
    session_hours: int = Field(12, ge=1, le=7 * 24, description="hours after the login")
    key_days: int = Field(365, ge=1, le=3650, description="longest life of an API key, days")
    most_body_bytes: int = Field(16 << 20, ge=1024, description="largest request body, bytes")
    most_streams: int = Field(64, ge=1, le=10_000, description="live streams open at once")
    stream_poll_s: float = Field(1.0, gt=0, le=60, description="seconds between looks for changes")
    dissect_timeout_s: float = Field(20.0, gt=0, le=300, description="seconds tshark may take")
    dissect_most_packets: int = Field(200, ge=1, le=5000, description="packets of one dissection")

    @property
    def has_tls(self) -> bool:
        """True if browsers reach it by HTTPS, here or at the proxy."""
        return self.tls_cert is not None or bool(self.tls_proxy)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key: give both or neither")
        if not _is_loopback(self.host) and not self.has_tls:
            raise ValueError(
                f"host: {self.host} is reachable by others, so passwords would cross the network"
                " readable; set tls_cert and tls_key, or tls_proxy to the address of the proxy"
            )
        if self.public_origin:
            _check_origin(self.public_origin)
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise ValueError(
            f"public_origin: {origin!r} is not scheme://host[:port], without a path behind it"
        )
