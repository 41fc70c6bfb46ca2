"""The settings file: one TOML, read strictly, every fault named at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.outputs.settings import TelemetrySettings
from api.settings import ApiSettings
from collector.settings import CollectorSettings
from detector.detection import Detector
from detector.detectors import DETECTORS
from detector.engine import EngineSettings
from detector.hospital import Hospital
from detector.ledger import read_ledger
from detector.lines.reference import use_lists
from detector.register import read_register
from detector.setup.confirm import PLAN_FILE, PlanFault, confirmed_plan


class ConfigurationError(Exception):
    """The settings cannot be used; `faults` names every reason."""

    def __init__(self, path: Path | None, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        where = f"{path}: " if path else ""
        super().__init__("\n".join(f"{where}{fault}" for fault in faults))


class HospitalSettings(Hospital):
    """The hospital, with the files that hold its plan, ledger and register."""

    plan_file: Path | None = Field(None, description="TOML with name, timezone and segments")
    assets_file: Path | None = Field(None, description="機器台帳, CSV or xlsx")
    register_file: Path | None = Field(None, description="外部接続台帳, CSV or xlsx")


class DetectorSettings(BaseModel):
    """The engine, and thresholds of single detectors by their id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineSettings = EngineSettings()
    off: tuple[str, ...] = Field((), description="ids of detectors that do not run")
    rules: dict[str, dict[str, Any]] = Field({}, description="detector id → its settings")


class Configuration(BaseModel):
    """Everything that can be set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dir: Path = Path("state")
    hospital: HospitalSettings = HospitalSettings()
    collector: CollectorSettings = CollectorSettings()
    detector: DetectorSettings = DetectorSettings()
    api: ApiSettings
    telemetry: TelemetrySettings | None = Field(None, description="InfluxDB; none by default")

    @model_validator(mode="before")
    @classmethod
    def _share_state_dir(cls, told: Any) -> Any:
        """The API's files stand in the same state folder."""
        if not isinstance(told, Mapping):
            return told
        state_dir = told.get("state_dir", cls.model_fields["state_dir"].default)
        api = told.get("api", {})
        return {**told, "api": {"state_dir": state_dir, **api} if isinstance(api, dict) else api}

    @property
    def data_dir(self) -> Path:
        """Where newer lists than the packaged ones stand (`mimawari data update`)."""
        return self.collector.data_dir or self.state_dir / "data"

    def collecting(self) -> CollectorSettings:
        """The collector's settings, with the same newest lists as the detectors."""
        return self.collector.model_copy(update={"data_dir": self.data_dir})

    def with_confirmed_plan(self) -> Configuration:
        """With the plan that was confirmed into the state folder, unless the settings hold one.

        ConfigurationError if the confirmed plan has been damaged since.
        """
        if self.hospital.segments:
            return self
        try:
            plan = confirmed_plan(self.state_dir)
        except (PlanFault, OSError, UnicodeDecodeError) as fault:
            raise ConfigurationError(self.state_dir / PLAN_FILE, [str(fault)]) from None
        if plan is None:
            return self
        parts = {name: getattr(plan, name) for name in type(plan).model_fields}
        return self.model_copy(update={"hospital": self.hospital.model_copy(update=parts)})

    def detectors(self) -> tuple[Detector, ...]:
        """The detectors that run, with their settings and the newest lists."""
        use_lists(self.data_dir if self.data_dir.is_dir() else None)
        return tuple(
            type(d)(**self.detector.rules.get(d.id, {}))
            for d in DETECTORS
            if d.id not in self.detector.off
        )


def read_configuration(path: Path | None) -> Configuration:
    """Read a settings file; without one, the defaults. ConfigurationError lists every fault."""
    if path is None:
        return Configuration.model_validate({})
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise ConfigurationError(path, [str(fault)]) from None
    faults: list[str] = []
    told = _with_plan(told, path.parent, faults)
    configuration: Configuration | None = None
    try:
        configuration = Configuration.model_validate(told)
    except ValidationError as fault:
        faults += describe_faults(fault)
    faults += _check_rules(told.get("detector", {}))
    if configuration is None:
        raise ConfigurationError(path, faults)
    hospital, more = _read_ledgers(configuration.hospital, path.parent)
    if faults + more:
        raise ConfigurationError(path, faults + more)
    return configuration.model_copy(update={"hospital": hospital})


def _with_plan(told: dict[str, Any], folder: Path, faults: list[str]) -> dict[str, Any]:
    """The settings with the plan file's words in `hospital`, under what stands there itself."""
    hospital = told.get("hospital")
    if not isinstance(hospital, dict) or "plan_file" not in hospital:
        return told
    try:
        plan = tomllib.loads((folder / str(hospital["plan_file"])).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        faults.append(f"hospital.plan_file: {fault}")
        return told
    return {**told, "hospital": {**plan, **hospital}}


def describe_faults(fault: ValidationError, prefix: str = "") -> list[str]:
    """One line a fault: where, what is wanted, what was found."""
    lines = []
    for error in fault.errors():
        where = ".".join(str(part) for part in (*filter(None, [prefix]), *error["loc"]))
        message = error["msg"][0].lower() + error["msg"][1:]
        if error["type"] == "extra_forbidden":
            lines.append(f"{where}: unknown setting; remove it or correct its name")
        else:
            lines.append(f"{where}: {message}, got {error['input']!r}")
    return lines


def _check_rules(told: Any) -> list[str]:
    """Faults in `detector.rules` and `detector.off`."""
    if not isinstance(told, Mapping):
        return []
    known = {d.id: type(d) for d in DETECTORS}
    names = ", ".join(sorted(known))
    faults = [
        f"detector.off: there is no detector {name!r}; there are {names}"
        for name in told.get("off", ())
        if name not in known
    ]
    rules = told.get("rules", {})
    for name, settings in rules.items() if isinstance(rules, Mapping) else ():
        if name not in known:
            faults.append(f"detector.rules.{name}: there is no such detector; there are {names}")
            continue
        try:
            known[name].model_validate(settings)
        except ValidationError as fault:
            faults += describe_faults(fault, f"detector.rules.{name}")
    return faults


def _read_ledgers(hospital: HospitalSettings, folder: Path) -> tuple[HospitalSettings, list[str]]:
    """The hospital with the rows of its ledger and register files added."""
    faults: list[str] = []
    assets, lines = hospital.assets, hospital.lines
    if hospital.assets_file is not None:
        file = folder / hospital.assets_file
        try:
            listed, wrong = read_ledger(file)
            assets += tuple(listed)
            faults += [f"{file}: {f}" for f in wrong]
        except OSError as fault:
            faults.append(f"hospital.assets_file: {fault}")
    if hospital.register_file is not None:
        file = folder / hospital.register_file
        try:
            registered, wrong_rows = read_register(file)
            lines += tuple(registered)
            faults += [f"{file}: {f}" for f in wrong_rows]
        except OSError as fault:
            faults.append(f"hospital.register_file: {fault}")
    return hospital.model_copy(update={"assets": assets, "lines": lines}), faults
