"""Settings of the fast lane."""

from pydantic import BaseModel, ConfigDict, Field


class FastLaneSettings(BaseModel):
    """Time-outs and limits of the fast lane; the defaults are Zeek's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tcp_idle_s: float = Field(
        300, gt=0, le=3600, description="Seconds without a packet that end a TCP connection"
    )
    session_idle_s: float = Field(
        3600, gt=0, le=3600, description="The same for FTP, SSH, Telnet and rlogin (21-23, 513)"
    )
    udp_idle_s: float = Field(60, gt=0, le=3600, description="Seconds that end a UDP flow")
    dns_idle_s: float = Field(
        10, gt=0, le=3600, description="The same for DNS over UDP, mDNS, LLMNR and NBNS"
    )
    icmp_idle_s: float = Field(60, gt=0, le=3600, description="Seconds that end an ICMP flow")
    other_idle_s: float = Field(60, gt=0, le=3600, description="Seconds that end any other flow")
    attempt_s: float = Field(
        5, gt=0, le=3600, description="Seconds after which an unanswered SYN is reported"
    )
    linger_s: float = Field(
        5, gt=0, le=3600, description="Seconds that a closed connection still takes packets"
    )
    active_s: float = Field(
        0,
        ge=0,
        le=3600,
        description="Seconds after which a living flow is reported in part; 0 never",
    )
    max_flows: int = Field(
        2_000_000,
        ge=16,
        le=50_000_000,
        description="Live flows kept (about 250 bytes each); past it those nearest to their end go",
    )
    keep_outer: bool = Field(
        False,
        description="Also report the outer flow of GRE and IP-in-IP tunnels (Zeek does not)",
    )
    count_offloaded: bool = Field(
        True,
        description="Give segments that the sending card had still to cut (IP length 0) the bytes "
        "that the frame carried (Zeek counts none)",
    )
    drop_bad_checksums: bool = Field(
        False,
        description="Do not count packets with a wrong checksum (as Zeek without -C); cards that "
        "fill checksums in after a capture on the host itself would blind the sensor",
    )
    seed: int = Field(0, ge=0, description="Seed of the flow table's hash; 0 draws one at start")
    sighting_picks_per_s: int = Field(
        2000, ge=1, description="Packets picked per kind and second of event time; the rest is shed"
    )
    deep_picks_per_s: int = Field(
        5000, ge=1, description="Packets picked for dissection per second of event time"
    )
    export_picks_per_s: int = Field(
        20_000, ge=1, description="NetFlow, IPFIX and sFlow datagrams per second of event time"
    )
    deep_bytes_per_flow: int = Field(
        2 << 20,
        ge=1500,
        le=1 << 31,
        description="Bytes picked for dissection per flow, direction and minute; the rest is shed",
    )
    bulk_bytes: int = Field(
        8192,
        ge=1024,
        description="Longer SMB reads and writes and DICOM units keep only their first segment",
    )
