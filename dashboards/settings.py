"""Settings of the console: whose hospital it shows, and by whose clock."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ConsoleSettings(BaseModel):
    """What the pages say of the place they are in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hospital_name: str = Field("病院", description="name of the hospital, as pages show it")
    timezone: str = Field("Asia/Tokyo", description="IANA timezone in which pages show times")

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as fault:
            raise ValueError(f"{name!r} is not an IANA timezone such as Asia/Tokyo") from fault
        return name
