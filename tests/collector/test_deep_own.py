"""LDAP, DICOM and HL7, which the deep lane reads itself."""

import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sample_pcaps
from collector.deep.lane import DeepLane
from collector.deep.settings import DeepSettings
from collector.fastlane.units import unit_length
from collector.packet import Pick
from collector.replay import Replay
from collector.settings import CollectorSettings
from collector.sightings import Dicom, Ldap
from tests.collector.feeder import packet_rows

CT_STORAGE = b"1.2.840.10008.5.1.4.1.1.2"


def read(*payloads: bytes):
    """What is told without tshark."""
    lane = DeepLane(DeepSettings(enabled=False))
    lane.feed(*packet_rows(*payloads, kind=Pick.DEEP, protocol=6))
    assert not lane.malformed
    return lane.drain()


def ber(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return bytes([tag, 0x82]) + struct.pack("!H", len(value)) + value


def search(base: bytes, chosen: bytes) -> bytes:
    head = ber(4, base) + ber(10, b"\2") + ber(10, b"\0") + ber(2, b"\0") * 2 + ber(1, b"\0")
    return ber(0x30, ber(2, b"\7"), ber(0x63, head, chosen, ber(0x30)))


def equal(name: bytes, value: bytes) -> bytes:
    return ber(0xA3, ber(4, name), ber(4, value))


def test_ldap_filter_of_kerberoasting() -> None:
    rule = ber(0xA9, ber(0x81, b"1.2.840.113556.1.4.803"), ber(0x82, b"uac"), ber(0x83, b"2"))
    names = ber(0xA4, ber(4, b"cn"), ber(0x30, ber(0x80, b"adm"), ber(0x81, b"x"), ber(0x82, b"n")))
    chosen = ber(
        0xA0, equal(b"objectClass", b"user"), ber(0x87, b"servicePrincipalName"),
        ber(0xA2, rule), names,
    )  # fmt: skip
    [ldap] = read(search(b"DC=hosp,DC=local", chosen))
    assert (ldap.operation, ldap.base) == ("search", "DC=hosp,DC=local")
    assert ldap.filter == (
        "(&(objectClass=user)(servicePrincipalName=*)(!(uac:1.2.840.113556.1.4.803:=2))(cn=adm*x*n))"
    )


def test_signed_ldap_is_read_and_sealed_is_not() -> None:
    message = search(b"DC=x", equal(b"cn", b"a"))
    length = struct.pack("!I", 16 + len(message))
    assert len(read(length + b"\1\0\0\0" + bytes(12) + message)) == 1
    assert len(read(length + b"\5\4\1\xff" + bytes(12) + message)) == 1
    rotated = b"\5\4\4\xff" + b"\0\x0c" * 2 + bytes(8) + b"checksum in " + message
    assert len(read(struct.pack("!I", len(rotated)) + rotated)) == 1
    assert read(length + b"\5\4\3\xff" + bytes(12) + message) == []


@pytest.mark.parametrize("token", [b"\5\4\5\xff", b"\1\0\0\0"])
def test_signed_ldap_is_picked(token: bytes) -> None:
    message = token + bytes(12) + search(b"DC=x", equal(b"cn", b"a"))
    segment = np.frombuffer(struct.pack("!I", len(message)) + message, np.uint8)
    assert unit_length(segment, 0, len(segment)) == len(segment)


def test_a_signed_search_of_a_real_directory(captures: Path) -> None:
    """Service accounts are looked for in a connection that Kerberos signs."""
    file = captures / "credential-access" / "el_rubeus-kerberoast-cmdline-parameter.pcap"
    told = [
        s.filter.lower()
        for seen in Replay(CollectorSettings()).read([file])
        for s in seen.sightings
        if isinstance(s, Ldap)
    ]
    assert any("serviceprincipalname=*" in asked for asked in told)


def test_a_deep_filter_ends() -> None:
    chosen = equal(b"cn", b"a")
    for _ in range(200):
        chosen = ber(0xA2, chosen)
    [ldap] = read(search(b"", chosen))
    assert "(…)" in ldap.filter


def item(kind: int, value: bytes) -> bytes:
    return struct.pack("!BBH", kind, 0, len(value)) + value


def test_dicom_association() -> None:
    context = item(0x20, b"\1\0\0\0" + item(0x30, CT_STORAGE + b"\0"))
    user = item(0x50, item(0x51, bytes(4)) + item(0x52, b"1.2.392.1") + item(0x55, b"CT_V7 "))
    body = b"\0\1\0\0" + b"PACS".ljust(16) + b"CT1".ljust(16) + bytes(32) + context + user
    [ask] = read(b"\1\0" + struct.pack("!I", len(body)) + body)
    assert (ask.message, ask.calling_ae, ask.called_ae) == ("associate_rq", "CT1", "PACS")
    assert (ask.implementation, ask.sop_class) == ("1.2.392.1 CT_V7", CT_STORAGE.decode())


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def command(field: int, behind: bytes = b"") -> bytes:
    values = element(2, CT_STORAGE + b"\0") + element(0x100, struct.pack("<H", field)) + behind
    fragment = b"\1\3" + values
    inner = struct.pack("!I", len(fragment)) + fragment
    return b"\4\0" + struct.pack("!I", len(inner)) + inner


def test_ldap_logons_and_their_answers() -> None:
    """A simple bind names the account; its password is not kept."""
    who = b"uid=yamada,dc=hosp"
    simple = ber(0x60, ber(2, b"\3"), ber(4, who), ber(0x80, b"secret"))
    sasl = ber(0x60, ber(2, b"\3"), ber(4), ber(0xA3, ber(4, b"GSS-SPNEGO")))
    refused = ber(0x61, ber(10, b"\x31"), ber(4), ber(4, b"80090308: LdapErr: data 52e"))
    told = read(*(ber(0x30, ber(2, b"\1"), part) for part in (simple, sasl, refused)))
    assert [(s.operation, s.name, s.result) for s in told] == [
        ("bind", who.decode(), 0), ("bind", "", 0), ("bind_answer", "", 49),
    ]  # fmt: skip
    assert "secret" not in str([s.to_json() for s in told])


def change(tag: int, entry: bytes, *parts: bytes) -> bytes:
    return ber(0x30, ber(2, b"\3"), ber(tag, ber(4, entry), ber(0x30, *parts)))


def test_ldap_changes_tell_names_and_no_values() -> None:
    def set_(name: bytes, value: bytes) -> bytes:
        return ber(0x30, ber(10, b"\2"), ber(0x30, ber(4, name), ber(0x31, ber(4, value))))

    def new(name: bytes, *values: bytes) -> bytes:
        return ber(0x30, ber(4, name), ber(0x31, *(ber(4, value) for value in values)))

    told = read(
        change(0x66, b"CN=DC1,DC=hosp",
               set_(b"msDS-KeyCredentialLink", b"secret"), set_(b"x", b"")),
        change(0x68, b"CN=LAB,DC=hosp", new(b"objectClass", b"top", b"computer"),
               new(b"unicodePwd", b"secret")),
    )  # fmt: skip
    assert [(s.operation, s.base, s.attributes) for s in told] == [
        ("modify", "CN=DC1,DC=hosp", ("msDS-KeyCredentialLink", "x")),
        ("add", "CN=LAB,DC=hosp",
         ("objectClass", "objectClass=top", "objectClass=computer", "unicodePwd")),
    ]  # fmt: skip
    assert "secret" not in str([s.to_json() for s in told])


def test_an_ldap_change_that_goes_on_in_another_segment_tells_its_first_names() -> None:
    long = ber(0x30, ber(4, b"nTSecurityDescriptor"), ber(0x31, ber(4, bytes(3000))))
    whole = change(0x66, b"DC=hosp", ber(0x30, ber(10, b"\2"), long))
    (told,) = read(whole[:1400])
    assert (told.operation, told.attributes) == ("modify", ("nTSecurityDescriptor",))


def test_dicom_commands_and_no_patient() -> None:
    patient = element(0x10, b"YAMADA^TARO", group=0x10)
    told = read(command(0x0001, patient), command(0x8021))
    assert [(s.message, s.sop_class) for s in told] == [
        ("c_store", CT_STORAGE.decode()),
        ("c_move_rsp", CT_STORAGE.decode()),
    ]
    assert "YAMADA" not in str([s.to_json() for s in told])


def test_dicom_in_segments_of_any_cut() -> None:
    patient = element(0x10, b"YAMADA^TARO", group=0x10)
    body = element(2, CT_STORAGE + b"\0") + element(0x100, b"\x20\0")
    whole = b""
    for fragment in (b"\1\3" + element(0, struct.pack("<I", len(body))) + body, b"\1\2" + patient):
        inner = struct.pack("!I", len(fragment)) + fragment
        whole += b"\4\0" + struct.pack("!I", len(inner)) + inner
    for cut in range(6, 60):
        told = read(command(0x0030), whole[:cut], whole[cut:], whole[:12], whole[12:])
        assert [s.message for s in told] == ["c_echo", "c_find", "c_find"], cut
        assert "YAMADA" not in str([s.to_json() for s in told])
    told = read(command(0x0030), *(whole[at : at + 1] for at in range(len(whole))))
    assert [s.message for s in told] == ["c_echo", "c_find"]


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=12, max_size=40), st.integers(1, 59))
def test_a_dicom_command_amid_images_however_fed(image: bytes, cut: int) -> None:
    """Segments amid an image are passed over, but never the beginning of a command."""
    fragment = element(0, struct.pack("<I", 20)) + element(0x100, b"\x20\0", group=0)
    stream = image + fragment.ljust(60, b"\7")
    at = len(image) + cut % len(fragment)
    segments = [command(0x0030), image, stream[:at], stream[at:], image]
    buffer, picks = packet_rows(*segments, kind=Pick.DEEP, protocol=6)
    lane = DeepLane(DeepSettings(enabled=False))
    for row in range(len(picks)):
        lane.feed(buffer, picks[row : row + 1])
    assert [s.message for s in lane.drain()] == ["c_echo", "c_find"]


def test_what_began_like_dicom_and_was_not_is_told_by_its_own_reader() -> None:
    lane = DeepLane(DeepSettings(enabled=False))
    start = b"\1\0\0\0\0\x60\0\1"
    buffer, picks = packet_rows(
        start, b"no association" * 6, search(b"dc=a", equal(b"a", b"b")), kind=Pick.DEEP, protocol=6
    )
    for row in range(len(picks)):
        lane.feed(buffer, picks[row : row + 1])
    assert [type(s) for s in lane.drain()] == [Ldap]


def test_dicom_association_behind_its_head() -> None:
    body = b"\0\1\0\0" + b"PACS".ljust(16) + b"CT1".ljust(16) + bytes(32)
    head = b"\1\0" + struct.pack("!I", len(body))
    [ask] = read(head, body)
    assert (ask.message, ask.calling_ae) == ("associate_rq", "CT1")


def test_dicom_of_dcmtk_and_orthanc() -> None:
    """Recorded from the programs themselves, whose heads are segments of their own."""
    recorded = Path(sample_pcaps.__file__).parent / "lab" / "stories" / "dcmtk_orthanc.pcap"
    told: Counter[str] = Counter()
    for seen in Replay(CollectorSettings()).read([recorded]):
        told.update(s.message for s in seen.sightings if isinstance(s, Dicom))
    assert told == {
        "associate_rq": 9, "associate_ac": 9, "c_echo": 1, "c_echo_rsp": 1, "c_store": 3,
        "c_store_rsp": 3, "c_find": 3, "c_find_rsp": 6, "c_move": 2, "c_move_rsp": 2,
    }  # fmt: skip


def test_hl7_keeps_the_head_only() -> None:
    message = (
        b"\x0bMSH|^~\\&|LIS|LAB|HIS|WARD|2026||ORU^R01|9|P|2.5\rPID|1||77||YAMADA^TARO\r\x1c\r"
    )
    [hl7] = read(message)
    assert (hl7.sending_application, hl7.receiving_facility) == ("LIS", "WARD")
    assert hl7.message_type == "ORU^R01"
    assert "YAMADA" not in str(hl7.to_json())


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x0bMSH|", b"\1\0", b"\4\0", b"\x30\x82"]))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_random_bytes(payload: bytes, head: bytes) -> None:
    lane = DeepLane(DeepSettings(enabled=False))
    lane.feed(*packet_rows(head + payload, kind=Pick.DEEP, protocol=6))
    for sighting in lane.drain():
        sighting.to_json()
