"""Dissected packets as lines to read."""

from __future__ import annotations

from dataclasses import dataclass

from api.services.evidence import Dissection
from dashboards.clock import Clock
from dashboards.words import Words


@dataclass(frozen=True)
class PacketText:
    """One packet: a line to recognise it by, and its fields."""

    head: str
    body: str


@dataclass(frozen=True)
class Evidence:
    """What the evidence section shows; `problem` says why it shows less."""

    packets: tuple[PacketText, ...]
    problem: str = ""


def shown_evidence(dissection: Dissection, t: Words, clock: Clock) -> Evidence:
    """Packets in words; field names stay tshark's own, so that a filter can be copied."""
    packets = []
    for packet in dissection.packets:
        at = clock.at(int(float(packet.time) * 1e9)).strftime("%H:%M:%S.%f")[:-3]
        protocols = " › ".join(p for p in packet.protocols if p not in ("eth", "ethertype"))
        lines = [
            f"{name} = {value}" for layer in packet.layers for name, value in layer.fields.items()
        ]
        head = f"{packet.number}  {at}  {protocols}  {packet.length} B"
        packets.append(PacketText(head, "\n".join(lines)))
    problem = dissection.note or ("" if packets else t("evidence.none"))
    return Evidence(tuple(packets), problem)
