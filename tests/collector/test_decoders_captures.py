"""The decoders against tshark, field by field, on real captures."""

import re
import shutil
import subprocess
from collections import Counter

import pytest

from collector.sighting_lane import SightingLane
from tests.collector.feeder import frames_of, picks_of

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
SEPARATOR = "\x1f"


def ours(path, kind: str):
    return [s for s in SightingLane().decode(*picks_of(frames_of(path))) if s.kind == kind]


def tshark(path, chosen: str, *fields: str) -> list[list[str]]:
    command = ["tshark", "-n", "-r", str(path), "-Y", chosen, "-T", "fields"]
    command += ["-E", f"aggregator={SEPARATOR}", *(a for f in fields for a in ("-e", f))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


@pytest.mark.parametrize(
    "name",
    ["rogue-network/ndpi_iphone.pcap", "exfil-tunnel/ndpi_bad-dns-traffic.pcap"],
)
def test_dns_names(captures, name: str) -> None:
    theirs = tshark(captures / name, "dns and not mdns and not llmnr and not icmp", "dns.qry.name")
    expected = Counter(row[0].split(SEPARATOR)[0].lower() for row in theirs)
    assert expected
    assert Counter(s.name for s in ours(captures / name, "dns")) == expected


def test_server_names(captures) -> None:
    path = captures / "c2-beacon/slips_test-cc-capture-1.pcap"
    field = "tls.handshake.extensions_server_name"
    expected = Counter(row[0].lower() for row in tshark(path, field, field))
    assert expected
    assert Counter(s.sni for s in ours(path, "tls_client_hello") if s.sni) == expected


@pytest.mark.parametrize(
    "name", ["benign/ndpi_quic_0RTT.pcap", "benign/ndpi_quic_crypto_aes_auth_size.pcap"]
)
def test_quic_server_names_as_another_tool_has_them(captures, name: str) -> None:
    told = {s.sni for s in ours(captures / name, "tls_client_hello") if s.transport == "quic"}
    listed = (captures / f"{name}.expected.ndpi.out").read_text()
    assert told
    assert told <= set(re.findall(r"SNI: ([^\]]+)\]", listed))


def test_ja4_as_another_tool_has_it(captures) -> None:
    """nDPI differs from the description in the ALPN mark and where there is no SNI; the hashes
    of ciphers and extensions must agree."""
    agreed = 0
    for listed in sorted((captures / "benign").glob("*.expected.ndpi.out")):
        path = captures / "benign" / listed.name.removesuffix(".expected.ndpi.out")
        theirs = set(re.findall(r"JA4: t\w\w\w(\w{4})\w\w_(\w{12})_(\w{12})", listed.read_text()))
        if not theirs:
            continue
        marks = [s.ja4 for s in ours(path, "tls_client_hello") if s.ja4 and s.transport == "tcp"]
        agreed += len(theirs & {(m[4:8], *m.split("_")[1:]) for m in marks})
    assert agreed >= 35


def test_dhcp_options(captures) -> None:
    path = captures / "rogue-network/ndpi_iphone.pcap"
    fields = ("hostname", "dhcp_server_id", "router", "domain_name_server", "request_list_item")
    theirs = tshark(path, "dhcp", *(f"dhcp.option.{field}" for field in fields))
    expected = [tuple(value.replace(SEPARATOR, ",") for value in row) for row in theirs]
    told = [
        (s.host_name, s.server_id, ",".join(s.routers), ",".join(s.dns_servers),
         ",".join(map(str, s.parameters)))
        for s in ours(path, "dhcp")
    ]  # fmt: skip
    assert expected
    assert told == expected


def test_lldp(captures) -> None:
    path = captures / "protocol/ark_ospf.pcap"
    theirs = tshark(path, "lldp", "lldp.tlv.system.name", "lldp.mgn.addr.ip4")
    assert theirs
    assert [[s.system_name, s.management_ip] for s in ours(path, "switch_neighbor")] == theirs


def test_netbios_names(captures) -> None:
    path = captures / "exploit/es_eternalblue-failed-patched-win7.pcap"
    theirs = tshark(path, "nbns", "nbns.name")
    expected = Counter(row[0].split(SEPARATOR)[0].split(" (")[0] for row in theirs)
    names = Counter(
        s.names[0].replace("\\x01\\x02__MSBROWSE__\\x02", "<01><02>__MSBROWSE__<02>")
        for s in ours(path, "name")
        if s.protocol == "nbns" and s.operation != "datagram"
    )
    assert expected
    assert names == expected
