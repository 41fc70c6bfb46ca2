"""A large capture for measurements: every record alike in size, so that numpy writes it at once."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

RECORD = np.dtype(
    [
        ("seconds", "<u4"), ("part", "<u4"), ("captured", "<u4"), ("wire", "<u4"),
        ("macs", "u1", 12), ("ether_type", ">u2"),
        ("version", "u1"), ("service", "u1"), ("total", ">u2"), ("ident", ">u2"),
        ("fragment", ">u2"), ("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"),
        ("source", ">u4"), ("destination", ">u4"),
        ("source_port", ">u2"), ("destination_port", ">u2"), ("sequence", ">u4"), ("ack", ">u4"),
        ("offset", "u1"), ("flags", "u1"), ("window", ">u2"), ("sum", ">u2"), ("urgent", ">u2"),
    ]
)  # fmt: skip
_SYN, _SYN_ACK, _ACK, _PSH_ACK, _FIN_ACK = 2, 18, 16, 24, 17


def write_traffic(path: Path, packets: int, per_flow: int, payload: int, seed: int = 1) -> None:
    """Write `packets` of TCP connections of `per_flow` packets each, interleaved, 10 min long."""
    dtype = np.dtype([*RECORD.descr, ("payload", "u1", payload)])
    flows = packets // per_flow
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 590_000_000, flows)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        times = (start[:, None] + np.arange(per_flow) * 100_000).ravel()
        order = np.argsort(times, kind="stable")
        for first in range(0, len(order), 200_000):
            some = order[first : first + 200_000]
            file.write(_rows(dtype, times[some], some // per_flow, some % per_flow, per_flow))


def _rows(dtype: np.dtype, times: np.ndarray, flow: np.ndarray, step: np.ndarray,
          per_flow: int) -> bytes:  # fmt: skip
    rows = np.zeros(len(times), dtype)
    is_reply = step % 2 == 1
    rows["seconds"], rows["part"] = 1_760_000_000 + times // 1_000_000, times % 1_000_000
    rows["captured"] = rows["wire"] = dtype.itemsize - 16
    rows["macs"] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
    rows["ether_type"], rows["version"] = 0x0800, 0x45
    rows["total"] = dtype.itemsize - 30
    rows["ttl"], rows["protocol"] = 64, 6
    client, server = 0x0A000000 + flow % 4000, 0x0A100000 + flow // 7 % 4000
    port = 1024 + flow // 4000 % 60000
    rows["source"] = np.where(is_reply, server, client)
    rows["destination"] = np.where(is_reply, client, server)
    rows["source_port"] = np.where(is_reply, 443, port)
    rows["destination_port"] = np.where(is_reply, port, 443)
    rows["sequence"], rows["ack"] = 1 + step * dtype["payload"].itemsize, 1
    rows["offset"] = 0x50
    flags = np.where(step == 0, _SYN, np.where(step == 1, _SYN_ACK, _PSH_ACK))
    rows["flags"] = np.where(step >= per_flow - 2, _FIN_ACK, flags)
    return rows.tobytes()


if __name__ == "__main__":
    write_traffic(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:]))
