"""Settings of the deep lane."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DeepSettings(BaseModel):
    """How tshark is run: one process of low privilege, with limits, started on first use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="Dissect control packets of SMB, DCE/RPC, Kerberos …")
    program: str = Field("tshark", description="Name or path of tshark")
    user: str = Field("nobody", description="Account it runs as when Mimawari runs as root")
    niceness: int = Field(5, ge=0, le=19, description="How far it stands behind other programs")
    memory_bytes: int = Field(
        4 << 30, ge=1 << 29, description="Address space it may use; past it, it dies and restarts"
    )
    rotate_after: int = Field(
        250_000, ge=1000, description="Packets after which a new one takes over (about 1 KiB each)"
    )
    stall_timeout_s: float = Field(
        20, gt=0, description="Without an answer for so long it is killed and started again"
    )
    max_failures: int = Field(
        5, ge=1, description="Starts without a single answer after which the lane is off"
    )
