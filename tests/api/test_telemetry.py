"""Telemetry reaches a real VictoriaMetrics, waits on disk while it is away, and stays bounded."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import urllib3
from pydantic import ValidationError

from api.outputs.spool import LineSpool
from api.outputs.telemetry import Telemetry, TelemetrySettings
from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, FlowBatch, address_number
from collector.observations import CollectorHealth, Observations
from detector.hospital import Hospital, Segment

START_NS = 1_700_000_040 * 10**9  # a whole minute
HOSPITAL = Hospital(segments=(Segment(name="放射線 CT", prefixes=("10.1.0.0/16",)),))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A VictoriaMetrics on a free loopback port."""
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("victoria-metrics is not installed (apt install victoria-metrics)")
    address = f"127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("victoria")
    server = subprocess.Popen(
        [
            program,
            f"-httpListenAddr={address}",
            f"-storageDataPath={folder}",
            "-retentionPeriod=100y",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    patient = urllib3.Retry(60, backoff_factor=0.05, backoff_max=0.25)
    urllib3.PoolManager().request("GET", f"http://{address}/health", retries=patient)
    yield f"http://{address}"
    server.terminate()
    server.wait()


def kept(database: str, series: str) -> dict[str, list[float]]:
    """Everything stored under a metric: one tag's value (or "") → values."""
    pool = urllib3.PoolManager()
    pool.request("GET", f"{database}/internal/force_flush")
    answer = pool.request("GET", f"{database}/api/v1/export", fields={"match[]": series})
    found = {}
    for line in answer.data.decode().splitlines():
        row = json.loads(line)
        tags = row["metric"]
        label = tags.get("service") or tags.get("severity") or tags.get("cause") or ""
        found[label] = row["values"]
    return found


def flows(count: int, minute: int = 0, app: str = "dicom", source: str = "10.1.0.5") -> FlowBatch:
    rows = np.zeros(count, FLOW_DTYPE)
    rows["reported_ns"] = START_NS + minute * 60 * 10**9 + np.arange(count)
    rows["source"] = address_number(source)
    rows["bytes"], rows["reply_bytes"], rows["packets"] = 100, 50, 2
    rows["app"] = APP_CODE[app]
    return FlowBatch(rows)


def observed(batch: FlowBatch, minute: int) -> Observations:
    health = CollectorHealth(packets=7, shed=Counter({"deep": 3}))
    return Observations(batch, (), START_NS + minute * 60 * 10**9, health)


def telemetry(url: str, folder: Path, **settings: int) -> Telemetry:
    return Telemetry(TelemetrySettings(url=url, **settings), HOSPITAL, folder, {})


def test_traffic_health_and_alerts_arrive(database: str, tmp_path: Path) -> None:
    output = telemetry(database, tmp_path)
    output.take(observed(flows(3), 1))
    output.take(observed(flows(2, 1, "hl7"), 1))
    output.take_alerts({("lateral_movement", "high"): 4}, START_NS)
    output.finish()
    health = output.send()
    assert (health.waiting_batches, health.fault) == (0, "")
    assert kept(database, 'traffic_bytes{segment="放射線 CT"}') == {"dicom": [300], "hl7": [200]}
    assert kept(database, "sensor_health_packets") == {"": [7]}
    assert kept(database, "shed_count") == {"deep": [3]}
    assert kept(database, "alerts_count") == {"high": [4]}


def test_what_waits_survives_a_restart_and_an_absent_database(
    database: str, tmp_path: Path
) -> None:
    away = telemetry(f"http://127.0.0.1:{free_port()}", tmp_path)
    away.take(observed(flows(5, 2, "printer"), 4))
    health = away.send()
    assert health.waiting_batches == 1
    assert "127.0.0.1" in health.fault
    back = telemetry(database, tmp_path)
    assert back.send().waiting_batches == 0
    assert kept(database, 'traffic_flows{service="printer"}') == {"printer": [5]}


def test_how_flows_are_batched_changes_nothing(tmp_path: Path) -> None:
    whole, split = (
        telemetry("http://127.0.0.1:1", tmp_path / "a"),
        telemetry("http://127.0.0.1:1", tmp_path / "b"),
    )
    batch = flows(9)
    whole.take(observed(batch, 0))
    for part in (batch.take(slice(0, 4)), batch.take(slice(4, 9))):
        split.take(observed(part, 0))
    for output in (whole, split):
        output.take(observed(FlowBatch.empty(), 1))
    lines = [
        b"".join(file.read_bytes() for file in sorted((tmp_path / name).iterdir()))
        for name in ("a", "b")
    ]
    assert lines[0] == lines[1]
    assert lines[0].count(b"traffic,") == 1


def test_the_spool_drops_the_oldest_and_counts_it(tmp_path: Path) -> None:
    spool = LineSpool(tmp_path, 250)
    for number in range(5):
        spool.put(b"%d\n" % number * 50)  # 100 bytes, 50 lines
    assert (len(spool), spool.waiting_bytes, spool.dropped_lines) == (2, 200, 150)
    oldest = spool.oldest()
    assert oldest is not None
    assert oldest.lines.startswith(b"3\n")


@pytest.fixture
def grumpy() -> Iterator[tuple[str, list[int]]]:
    """A server that answers with the statuses in the list, first to last, then 204."""
    statuses: list[int] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(statuses.pop(0) if statuses else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", statuses
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_batch_that_is_refused_does_not_block_the_rest(
    grumpy: tuple[str, list[int]], tmp_path: Path
) -> None:
    url, statuses = grumpy
    output = telemetry(url, tmp_path)
    output.take_alerts({("policy", "low"): 1}, START_NS)
    output.take_alerts({("policy", "low"): 2}, START_NS)
    statuses.append(400)
    health = output.send()
    assert (health.refused_lines, health.sent_lines, health.waiting_batches) == (1, 1, 0)


def test_a_busy_database_is_asked_again_later(
    grumpy: tuple[str, list[int]], tmp_path: Path
) -> None:
    url, statuses = grumpy
    output = telemetry(url, tmp_path)
    output.take_alerts({("policy", "low"): 1}, START_NS)
    statuses += [503, 401]
    assert output.send().waiting_batches == 1
    assert "401" in output.send().fault
    assert output.send().sent_lines == 1


def test_a_token_never_travels_readable(tmp_path: Path) -> None:
    settings = TelemetrySettings(url="http://10.0.0.9:8086")
    with pytest.raises(ValueError, match=r"telemetry\.url.*use https"):
        Telemetry(settings, HOSPITAL, tmp_path, {"MIMAWARI_TELEMETRY_TOKEN": "secret"})
    absent = TelemetrySettings(url="https://10.0.0.9", token_file=tmp_path / "absent")
    with pytest.raises(ValueError, match=r"telemetry\.token_file"):
        Telemetry(absent, HOSPITAL, tmp_path, {})
    with pytest.raises(ValidationError, match="http"):
        TelemetrySettings(url="influx:8086")
