"""Takes one evidence capture apart with tshark; runs as a process of its own.

`python -m api.dissect CAPTURE MOST_PACKETS` prints one JSON object per packet. Packets are hostile
input to a large C program, so this process is limited in memory and time, and dies with its tshark.

Only fields named in `_FIELDS` leave it: addresses, names of services, operations, results. Payload,
file names, HTTP paths and message bodies do not, because they may name patients.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

_MOST_VALUES = 8  # of one field in one packet
_MOST_CHARACTERS = 200
_MEMORY_BYTES = 2 << 30
_CPU_S = 60

#: tshark's layer → the fields that are shown.
_FIELDS: dict[str, tuple[str, ...]] = {
    "eth": ("eth.src", "eth.dst", "eth.type"),
    "vlan": ("vlan.id",),
    "arp": (
        "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac",
        "arp.dst.proto_ipv4",
    ),
    "ip": ("ip.src", "ip.dst", "ip.ttl", "ip.proto", "ip.id", "ip.len", "ip.flags.mf",
           "ip.frag_offset"),
    "ipv6": ("ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.nxt", "ipv6.plen"),
    "icmp": ("icmp.type", "icmp.code", "icmp.seq"),
    "icmpv6": ("icmpv6.type", "icmpv6.code"),
    "tcp": ("tcp.srcport", "tcp.dstport", "tcp.flags.str", "tcp.seq", "tcp.ack", "tcp.len",
            "tcp.window_size_value"),
    "udp": ("udp.srcport", "udp.dstport", "udp.length"),
    "dns": ("dns.flags.response", "dns.flags.opcode", "dns.flags.rcode", "dns.qry.name",
            "dns.qry.type", "dns.a", "dns.aaaa"),
    "mdns": ("dns.flags.response", "dns.qry.name"),
    "nbns": ("nbns.flags.opcode", "nbns.name"),
    "dhcp": ("dhcp.option.dhcp", "dhcp.ip.your", "dhcp.hw.mac_addr", "dhcp.option.hostname",
             "dhcp.option.dhcp_server_id"),
    "tls": ("tls.record.content_type", "tls.record.version", "tls.handshake.type",
            "tls.handshake.extensions_server_name", "tls.handshake.ja4", "tls.alert_message.desc"),
    "quic": ("quic.version", "quic.long.packet_type"),
    "http": ("http.request.method", "http.host", "http.user_agent", "http.server",
             "http.response.code", "http.content_type", "http.content_length_header"),
    "ssh": ("ssh.protocol", "ssh.message_code"),
    "rdp": ("rdp.rt_cookie", "rdp.neg_type"),
    "smb": ("smb.cmd", "smb.nt_status"),
    "smb2": ("smb2.cmd", "smb2.nt_status", "smb2.flags.response", "smb2.tree"),
    "dcerpc": ("dcerpc.pkt_type", "dcerpc.opnum", "dcerpc.cn_bind_to_uuid", "dcerpc.cn_status"),
    "ntlmssp": ("ntlmssp.messagetype", "ntlmssp.auth.username", "ntlmssp.auth.domain",
                "ntlmssp.auth.hostname"),
    "kerberos": ("kerberos.msg_type", "kerberos.CNameString", "kerberos.SNameString",
                 "kerberos.realm", "kerberos.etype", "kerberos.error_code"),
    "ldap": ("ldap.messageID", "ldap.protocolOp"),
    "snmp": ("snmp.version", "snmp.data"),
    "isakmp": ("isakmp.exchangetype", "isakmp.version", "isakmp.ispi", "isakmp.nextpayload"),
    "esp": ("esp.spi", "esp.sequence"),
    "wg": ("wg.type",),
    "openvpn": ("openvpn.opcode",),
    "dicom": ("dicom.pdu.type", "dicom.assoc.ae.called", "dicom.assoc.ae.calling"),
    "lldp": ("lldp.tlv.system.name", "lldp.port.id"),
    "ntp": ("ntp.flags.mode", "ntp.stratum"),
}  # fmt: skip


def dissect(path: str, most_packets: int) -> None:
    """Print the packets of a capture, at most this many and one that says there are more."""
    import pyshark

    capture = pyshark.FileCapture(
        path, keep_packets=False, custom_parameters=["-n", "-c", str(most_packets + 1)]
    )
    try:
        for number, packet in enumerate(capture):
            if number == most_packets:
                print(json.dumps({"more": True}))  # noqa: T201 - this process answers by printing
                return
            print(json.dumps(_summary(packet)))  # noqa: T201
    finally:
        capture.close()


def _summary(packet: Any) -> dict[str, Any]:  # pyshark's packets carry no types
    seconds, _, fraction = str(packet.frame_info.time_epoch).partition(".")
    return {
        "number": int(packet.frame_info.number),
        "time": f"{seconds}.{fraction}",
        "length": int(packet.frame_info.len),
        "captured": int(packet.frame_info.cap_len),
        "protocols": str(packet.frame_info.protocols).split(":"),
        "layers": [_layer(layer) for layer in packet.layers],
    }


def _layer(layer: Any) -> dict[str, Any]:
    shown = {}
    for name in _FIELDS.get(layer.layer_name, ()):
        field = layer.get_field(name)
        if field is not None:
            values = [str(f.get_default_value()) for f in field.all_fields[:_MOST_VALUES]]
            shown[name] = ", ".join(values)[:_MOST_CHARACTERS]
    return {"name": str(layer.layer_name), "fields": shown}


if __name__ == "__main__":
    # tshark inherits both limits.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    dissect(sys.argv[1], int(sys.argv[2]))
