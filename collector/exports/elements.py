"""The information elements that become flow columns (IANA's IPFIX registry; v9 shares it)."""

from __future__ import annotations

from typing import Final

#: Enterprise number under which an element counts for the reverse direction (RFC 5103 §6.1).
REVERSE: Final = 29305

BYTES: Final = (1, 85, 231, 352, 23)  # delta, total, initiator's, layer 2, after the exporter
PACKETS: Final = (2, 86, 298, 24)
REPLY_BYTES: Final = (232,)  # responder's; also the reverse of BYTES
REPLY_PACKETS: Final = (299,)
PROTOCOL, TCP_FLAGS, IP_VERSION = 4, 6, 60
SOURCE_PORTS: Final = (7, 182, 180)
DESTINATION_PORTS: Final = (11, 183, 181)
SOURCE_V4, DESTINATION_V4, SOURCE_V6, DESTINATION_V6 = 8, 12, 27, 28
ICMP_TYPE_CODE: Final = (32, 139)
ICMP_TYPE: Final = (176, 178)
ICMP_CODE: Final = (177, 179)
SOURCE_MACS: Final = (56, 81)
DESTINATION_MACS: Final = (80, 57)
VLANS: Final = (243, 58, 59)
TTL, TTL_MIN, TTL_MAX = 192, 52, 53
END_REASON, FIREWALL_EVENT = 136, 233

FIRST_MS, LAST_MS = 152, 153
FIRST_S, LAST_S = 150, 151
FIRST_US, LAST_US = 154, 155  # NTP timestamps, RFC 7011 §6.1.9
FIRST_NS, LAST_NS = 156, 157
FIRST_BEFORE_US, LAST_BEFORE_US = 158, 159  # before the export
FIRST_UPTIME, LAST_UPTIME = 22, 21
EVENT_MS: Final = (323, 258)
BOOT_MS, DURATION_MS, DURATION_US = 160, 161, 162

SAMPLER: Final = (302, 48)
RATE: Final = (34, 50)  # 1 in N
PACKET_INTERVAL, PACKET_SPACE = 305, 306  # N taken, M skipped
SAMPLE_SIZE, SAMPLE_POPULATION = 309, 310

#: dataLinkFrameSection and ipHeaderPacketSection: the first bytes of a sampled packet.
SECTIONS: Final = (315, 313)

#: All elements that are read; the rest of a record is skipped.
FORWARD: Final = frozenset({
    *BYTES, *PACKETS, *REPLY_BYTES, *REPLY_PACKETS, PROTOCOL, TCP_FLAGS, IP_VERSION,
    *SOURCE_PORTS, *DESTINATION_PORTS, SOURCE_V4, DESTINATION_V4, SOURCE_V6, DESTINATION_V6,
    *ICMP_TYPE_CODE, *ICMP_TYPE, *ICMP_CODE, *SOURCE_MACS, *DESTINATION_MACS, *VLANS, TTL, TTL_MIN,
    TTL_MAX, END_REASON, FIREWALL_EVENT, FIRST_MS, LAST_MS, FIRST_S, LAST_S, FIRST_US, LAST_US,
    FIRST_NS, LAST_NS, FIRST_BEFORE_US, LAST_BEFORE_US, FIRST_UPTIME, LAST_UPTIME, *EVENT_MS,
    BOOT_MS, DURATION_MS, DURATION_US, *SAMPLER, *RATE, PACKET_INTERVAL, PACKET_SPACE,
    SAMPLE_SIZE, SAMPLE_POPULATION,
})  # fmt: skip
BACKWARD: Final = frozenset({*BYTES, *PACKETS, TCP_FLAGS, TTL, TTL_MIN, TTL_MAX})
