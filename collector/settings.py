"""Settings of the collector's lanes; imports nothing heavy."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from collector.deep.settings import DeepSettings
from collector.exports.decoder import ExportSettings
from collector.fastlane.settings import FastLaneSettings
from collector.sources import AnySource


class LiveSettings(BaseModel):
    """What stands between live sources and the detector, on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spool_mib: int = Field(
        2048, ge=16, description="Room for what the detector has not taken; past it the oldest go"
    )
    packets_mib: int = Field(
        0, ge=0, description="Room for recent packets, of which alerts keep theirs; 0 keeps none"
    )
    packet_bytes: int = Field(
        1024, ge=64, le=65_535, description="Bytes kept of each recent packet"
    )
    flows_days: int = Field(400, ge=1, le=4000, description="Days for which flows are kept")
    flows_gib: float = Field(
        200, gt=0, description="Room for kept flows (about 20 bytes each); past it the oldest go"
    )
    evidence_gib: float = Field(
        20, gt=0, description="Room for alerts' packets; past it those of the oldest alerts go"
    )


class CollectorSettings(BaseModel):
    """The collector's lanes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensor: str = Field("local", pattern=r"^[\w.-]{1,32}$", description="name of this sensor")
    data_dir: Path | None = Field(
        None, description="folder with newer lists than the packaged ones"
    )
    fast_lane: FastLaneSettings = FastLaneSettings(active_s=60, keep_outer=True)
    deep_lane: DeepSettings = DeepSettings()
    exports: ExportSettings = ExportSettings()
    sources: tuple[AnySource, ...] = Field((), description="live sources, see below")
    live: LiveSettings = LiveSettings()
