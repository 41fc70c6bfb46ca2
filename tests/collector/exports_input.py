"""Builds what the export decoder takes, from payloads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collector.exports.batch import Datagrams

Payload = tuple[int, tuple[int, int], int, bytes]  # time, exporter, port, bytes


def datagrams_of(payloads: Sequence[Payload]) -> Datagrams:
    lengths = np.array([len(payload) for *_, payload in payloads], np.int64)
    return Datagrams(
        buffer=np.frombuffer(b"".join(payload for *_, payload in payloads), np.uint8),
        offset=np.cumsum(lengths) - lengths,
        length=lengths,
        time_ns=np.array([time_ns for time_ns, *_ in payloads], np.int64),
        exporter=np.array([exporter for _, exporter, *_ in payloads], np.uint64).reshape(-1, 2),
        port=np.array([port for _, _, port, _ in payloads], np.uint16),
    )
