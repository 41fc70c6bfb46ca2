"""Telemetry: traffic, alert counts and sensor health for InfluxDB 2 or VictoriaMetrics."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from api.outputs.points import MINUTE_NS, Traffic, alert_lines, health_lines
from api.outputs.settings import TelemetrySettings
from api.outputs.spool import LineSpool
from collector.observations import Observations
from detector.hospital import Hospital

TOKEN_VARIABLE: Final = "MIMAWARI_TELEMETRY_TOKEN"  # noqa: S105 - the name of a variable
#: Answers that no repetition changes: the batch itself is at fault.
_REFUSED: Final = (400, 413, 422)
_END_OF_TIME_NS: Final = 1 << 62


@dataclass(frozen=True)
class TelemetryHealth:
    """For the health page."""

    waiting_batches: int
    waiting_bytes: int
    sent_lines: int
    dropped_lines: int  # oldest ones, past the limit of the spool
    refused_lines: int  # the database could not read them
    fault: str  # why the last sending stopped, "" if it did not


class Telemetry:
    """Turns observations into lines, keeps them on disk, and sends them when asked to."""

    def __init__(
        self,
        settings: TelemetrySettings,
        hospital: Hospital,
        spool_folder: Path,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Raises ValueError where the token cannot be read or would travel readable."""
        self._settings = settings
        self._token = _token(settings, environment)
        self._traffic = Traffic(hospital)
        self._spool = LineSpool(spool_folder, settings.most_spool_bytes)
        self._health_minute = -1
        self._sent_lines = self._refused_lines = 0
        self._fault = ""

    def take(self, observations: Observations) -> None:
        """Add what was observed; complete minutes go to the spool."""
        self._traffic.add(observations.flows)
        lines = self._traffic.take_until(observations.watermark_ns)
        minute = observations.watermark_ns // MINUTE_NS
        if minute > self._health_minute:
            self._health_minute = minute
            lines += health_lines(observations.health, minute * MINUTE_NS)
        self._keep(lines)

    def take_alerts(self, counts: Mapping[tuple[str, str], int], at_ns: int) -> None:
        """Note how many alerts there are by (category, severity), in the minute of `at_ns`."""
        self._keep(alert_lines(counts, at_ns // MINUTE_NS * MINUTE_NS))

    def finish(self) -> None:
        """Spool the minutes that are not over; call once, at the end."""
        self._keep(self._traffic.take_until(_END_OF_TIME_NS))

    def send(self) -> TelemetryHealth:
        """Send what waits, oldest first, until all is sent or the database does not answer.

        Blocks up to `timeout_s` a batch; run it in a thread. What was written twice overwrites
        itself, since time and tags are the same.
        """
        self._fault = ""
        with InfluxDBClient(
            self._settings.url,
            self._token,
            org=self._settings.org,
            timeout=int(self._settings.timeout_s * 1000),
            retries=False,
        ) as client:
            writer = client.write_api(write_options=SYNCHRONOUS)
            while (batch := self._spool.oldest()) is not None:
                lines = batch.lines.count(b"\n")
                try:
                    writer.write(self._settings.bucket, self._settings.org, batch.lines)
                    self._sent_lines += lines
                except ApiException as fault:
                    self._fault = f"{self._settings.url}: {fault.status} {fault.reason}"
                    if fault.status not in _REFUSED:
                        break
                    self._refused_lines += lines
                except (HTTPError, OSError) as fault:
                    self._fault = f"{self._settings.url}: {fault}"
                    break
                self._spool.done(batch.path)
        return self.health

    @property
    def health(self) -> TelemetryHealth:
        return TelemetryHealth(
            waiting_batches=len(self._spool),
            waiting_bytes=self._spool.waiting_bytes,
            sent_lines=self._sent_lines,
            dropped_lines=self._spool.dropped_lines,
            refused_lines=self._refused_lines,
            fault=self._fault,
        )

    def _keep(self, lines: list[str]) -> None:
        if lines:
            self._spool.put("".join(f"{line}\n" for line in lines).encode())


def _token(settings: TelemetrySettings, environment: Mapping[str, str]) -> str:
    token = environment.get(TOKEN_VARIABLE, "")
    if settings.token_file is not None:
        try:
            token = settings.token_file.read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise ValueError(f"telemetry.token_file: {fault}") from None
        if not token:
            raise ValueError(f"telemetry.token_file: {settings.token_file} is empty")
    if token and not _is_safe(settings.url):
        raise ValueError(f"telemetry.url: {settings.url} would carry the token readable; use https")
    return token


def _is_safe(url: str) -> bool:
    """True where nobody on the way can read: TLS, or this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
