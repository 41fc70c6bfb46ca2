"""Settings of the collector's lanes; imports nothing heavy."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from collector.deep.settings import DeepSettings
from collector.exports.decoder import ExportSettings
from collector.fastlane.settings import FastLaneSettings


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
