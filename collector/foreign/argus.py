"""Argus' bidirectional flows as text (binetflow, as the CTU data sets are written)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.exports.states import states_of
from collector.flows import STATE_CODE, FlowBatch
from collector.foreign.columns import (
    PROTOCOLS,
    Rows,
    name_by_port,
    new_rows,
    ports_of,
    set_family,
)

_FRAME: Final = 14  # Argus counts the Ethernet header
_FLAGS: Final = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}


def flows_of(lines: Rows) -> FlowBatch:
    """One row a line; what is no IP flow (ARP, LLC, Argus' own) is left out and counted."""
    source, has_source = lines.addresses("SrcAddr")
    destination, has_destination = lines.addresses("DstAddr")
    start_ns, has_time = _times(lines)
    protocol = lines.mapped("Proto", PROTOCOLS, 255)
    good = has_source & has_destination & has_time & (protocol != 255)
    lines.malformed["argus: line that is no IP flow"] += int((~good).sum())
    rows = new_rows(len(lines))
    rows["source"], rows["destination"] = source, destination
    rows["first_ns"] = start_ns
    duration_ns = np.round(lines.number("Dur") * 1e6).astype(np.int64) * 1000
    rows["last_ns"] = rows["reported_ns"] = start_ns + duration_ns
    rows["protocol"] = protocol
    set_family(rows)
    rows["source_port"] = _ports(lines, "Sport")
    rows["destination_port"] = _ports(lines, "Dport")
    _set_volumes(rows, lines)
    _set_states(rows, lines)
    name_by_port(rows)
    return FlowBatch(rows[good])


def _times(lines: Rows) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """ "2019/04/04 16:24:47.672448" as ns, UTC."""
    text = lines.text("StartTime")
    has_time = pc.match_substring_regex(
        text, r"^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"
    ).fill_null(False)
    dashed = pc.replace_substring(text, "/", "-")
    chosen = pc.if_else(has_time, dashed, "1970-01-01 00:00:00")
    mask = has_time.to_numpy(zero_copy_only=False).astype(bool)
    try:
        times = chosen.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:  # a date such as 2019-13-40: slower, and only that line is lost
        parsed = [_microseconds(value) for value in chosen.to_pylist()]
        times = np.array(parsed, np.int64)
        mask &= times >= 0
    return np.asarray(times, np.int64) * 1000, mask


def _microseconds(text: str) -> int:
    try:
        return int(np.datetime64(text.replace(" ", "T"), "us").astype(np.int64))
    except ValueError:
        return -1


def _ports(lines: Rows, name: str) -> NDArray[np.uint16]:
    """Decimal, or hexadecimal as Argus writes ICMP's."""
    words = lines.text(name).fill_null("").dictionary_encode()
    numbers = [_port(text) for text in words.dictionary.to_pylist()]
    return ports_of(np.array([*numbers, 0.0], np.float64)[words.indices.to_numpy()])


def _port(text: str) -> float:
    try:
        return float(max(0, int(text, 16 if text.startswith("0x") else 10)))
    except ValueError:
        return 0.0


def _set_volumes(rows: NDArray[Any], lines: Rows) -> None:
    """The log tells totals and the source's share; packets are shared by bytes if untold."""
    packets, whole = lines.number("TotPkts"), lines.number("TotBytes")
    ours = np.minimum(lines.number("SrcBytes"), whole)
    share = np.round(packets * ours / np.maximum(whole, 1))
    sent = np.minimum(lines.number("SrcPkts", -1.0), packets)
    sent = np.where(sent >= 0, sent, np.clip(share, 1, np.maximum(packets, 1)))
    replied = np.maximum(packets - sent, 0)
    rows["packets"], rows["reply_packets"] = sent, replied
    rows["bytes"] = np.maximum(ours - _FRAME * sent, 0)
    rows["reply_bytes"] = np.maximum(whole - ours - _FRAME * replied, 0)


def _set_states(rows: NDArray[Any], lines: Rows) -> None:
    """ "FSPA_SRA" are both sides' flags; some logs carry Zeek's names instead."""
    words = lines.text("State").fill_null("").dictionary_encode()
    texts = [*words.dictionary.to_pylist(), ""]
    indices = words.indices.to_numpy()
    sides = [text.partition("_") for text in texts]
    is_tcp = rows["protocol"] == 6
    rows["flags"] = np.where(is_tcp, _unions([ours for ours, _, _ in sides])[indices], 0)
    rows["reply_flags"] = np.where(is_tcp, _unions([theirs for _, _, theirs in sides])[indices], 0)
    rows["state"] = states_of(rows)
    named = np.array([STATE_CODE.get(text, 255) for text in texts], np.uint8)[indices]
    rows["state"] = np.where(named < 255, named, rows["state"])


def _unions(texts: list[str]) -> NDArray[np.uint8]:
    return np.array([sum(_FLAGS.get(letter, 0) for letter in set(t)) for t in texts], np.uint8)
