"""How many flow records a second of processor time, and over UDP without loss, beside nfcapd.

    python -m bench.speed_exports CAPTURE … [--rate 20000] [--seconds 20]

Each capture holds NetFlow or IPFIX datagrams. First they are decoded in this process (ours, and
the PyPI package `netflow` where it is installed). Then they are sent over loopback at `--rate`
datagrams a second to `mimawari collect` and to nfcapd: processor seconds, records, what was lost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from collector.capture import open_capture
from collector.exports.batch import Datagrams
from collector.exports.decoder import ExportDecoder
from collector.spool import SpoolReader

ROOT = Path(__file__).resolve().parent.parent
_UDP = 42  # Ethernet, IPv4 and UDP headers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--rate", type=int, default=20_000, help="datagrams a second")
    parser.add_argument("--seconds", type=int, default=20)
    chosen = parser.parse_args()
    for capture in chosen.captures:
        batches = read(capture)
        payloads = [p for batch in batches for p in payloads_of(batch)]
        print(f"{capture.name}: {len(payloads):,} datagrams")
        in_process(batches, payloads)
        for name, receive in (("mimawari collect", _collect), ("nfcapd", _nfcapd)):
            if name == "nfcapd" and shutil.which("nfcapd") is None:
                print(f"  {name:18} not installed")
                continue
            over_udp(name, receive, payloads, chosen.rate, chosen.seconds)
    return 0


def read(capture: Path) -> list[Datagrams]:
    batches = []
    with open_capture(capture) as opened:
        for chunk in opened:
            count = len(chunk)
            batches.append(
                Datagrams(
                    chunk.buffer.copy(),
                    chunk.index["offset"] + _UDP,
                    chunk.index["captured"].astype(np.int64) - _UDP,
                    chunk.index["time_ns"].copy(),
                    np.tile(np.array([[0, 0xFFFF_C000_0201]], np.uint64), (count, 1)),
                    np.full(count, 40_000, np.uint16),
                )
            )
    return batches


def payloads_of(batch: Datagrams) -> list[bytes]:
    spans = zip(batch.offset.tolist(), batch.length.tolist(), strict=True)
    return [batch.buffer[at : at + size].tobytes() for at, size in spans]


def in_process(batches: list[Datagrams], payloads: list[bytes]) -> None:
    rates = []
    for _ in range(3):
        decoder, records = ExportDecoder(), 0
        began = time.process_time()
        for batch in batches:
            records += len(decoder.decode(batch))
        rates.append(records / (time.process_time() - began))
    print(f"  decoded here       {max(rates) / 1e6:6.2f} M records a processor second")
    try:
        from netflow import parse_packet  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        print("  netflow (PyPI)     not installed")
        return
    templates: dict[str, Any] = {"netflow": {}, "ipfix": {}}
    records, refused, began = 0, 0, time.process_time()
    for payload in payloads[:2000]:
        try:
            records += len(parse_packet(payload, templates).flows)
        except Exception:  # the package refuses what it does not know
            refused += 1
    spent = time.process_time() - began
    rate = records / spent / 1e6
    print(f"  netflow (PyPI)     {rate:6.3f} M records a processor second, {refused} refused")


def over_udp(name: str, receive: Any, payloads: list[bytes], rate: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        process, count = receive(Path(folder), port)
        try:
            before = _processor_s(process.pid)
            sent = _send(payloads, port, rate, seconds)
            time.sleep(3)
            spent = _processor_s(process.pid) - before
            process.send_signal(signal.SIGTERM)
            process.wait(120)
            records = count()
        finally:
            process.kill()
            process.wait()
    per_second = records / spent / 1e6 if spent else 0
    print(
        f"  {name:18} {sent / seconds:,.0f} datagrams/s: {records:,} records, {spent:.2f} s cpu, "
        f"{per_second:.2f} M records a processor second"
    )


def _send(payloads: list[bytes], port: int, rate: int, seconds: int) -> int:
    """Send in steps of 10 ms; returns the datagrams sent."""
    sent, began = 0, time.monotonic()
    with socket.socket(type=socket.SOCK_DGRAM) as sending:
        sending.connect(("127.0.0.1", port))
        while (elapsed := time.monotonic() - began) < seconds:
            while sent < elapsed * rate:
                sending.send(payloads[sent % len(payloads)])
                sent += 1
            time.sleep(0.002)
    return sent


def _collect(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], Any]:
    settings = folder / "mimawari.toml"
    settings.write_text(
        "[collector.deep_lane]\nenabled = false\n[[collector.sources]]\n"
        f'kind = "flow_listener"\naddress = "127.0.0.1"\nport = {port}\nallow = ["127.0.0.1"]\n'
    )
    words = ["mimawari.py", "collect", "--config", str(settings), "--state", str(folder)]
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT)
    name = f"flow_listener 127.0.0.1 {port}"
    while not _is_up(folder / "spool", name):
        time.sleep(0.2)

    def count() -> int:
        *_, (_, last) = SpoolReader(folder / "spool").after(-1)
        told = last.health.sources[name]
        exporter = told["exporters"].get("127.0.0.1", {})
        print(f"    kernel dropped {told['dropped']:,}; exporter {exporter}")
        return int(exporter.get("flows", 0))

    return process, count


def _is_up(spool: Path, name: str) -> bool:
    sources = [seen.health.sources for _, seen in SpoolReader(spool).after(-1)]
    return bool(sources) and sources[-1].get(name, {}).get("state") == "up"


def _nfcapd(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], Any]:
    store = folder / "nf"
    store.mkdir()
    process = subprocess.Popen(
        ["nfcapd", "-w", str(store), "-p", str(port), "-b", "127.0.0.1", "-B", str(16 << 20)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(1)

    def count() -> int:
        told = subprocess.run(
            ["nfdump", "-R", str(store), "-I"], capture_output=True, text=True, check=False
        ).stdout
        lines = [line for line in told.splitlines() if line.startswith("Flows:")]
        return int(lines[0].split()[1]) if lines else 0

    return process, count


def _processor_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
