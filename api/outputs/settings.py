"""Settings of outputs; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class TelemetrySettings(BaseModel):
    """Where the counts go. The token is read from `token_file` or MIMAWARI_TELEMETRY_TOKEN."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="e.g. https://influx.hospital.example:8086")
    org: str = Field("mimawari", description="InfluxDB organisation")
    bucket: str = Field("mimawari", description="InfluxDB bucket")
    token_file: Path | None = Field(None, description="file that holds the API token")
    timeout_s: float = Field(5.0, gt=0, le=60, description="longest wait for an answer")
    most_spool_bytes: int = Field(
        64 << 20, ge=4096, description="bytes kept on disk while the database is away"
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http://host:port or https://host:port")
        return url
