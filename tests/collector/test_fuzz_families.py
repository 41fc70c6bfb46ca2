"""What is fuzzed is what runs: each family takes inputs without an exception of its own."""

from __future__ import annotations

import pytest

from bench.fuzz import FAMILIES

_NETFLOW_5 = bytes.fromhex("0005 0001") + bytes(68)
_LDAP_BIND = bytes.fromhex("300c 020101 6007 020103 0400 8000")
_HL7 = b"\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\r\x1c\r"

INPUTS = {
    "datagrams": [b"", b"\x00\x00" + bytes(64), b"\x04\x80" + bytes(64)],
    "streams": [b"", b"\x00\x10\x16\x03\x01\x00\x05hello"],
    "exports": [b"", _NETFLOW_5, _NETFLOW_5 + b"\xff\xfe\xfd" + _NETFLOW_5[:30]],
    "logs": [b"", b"\x00{}\n", b"\x01<14>a\n", b"\x02#fields\tts\n"],
    "captures": [b"", bytes.fromhex("d4c3b2a1 02000400") + bytes(8) + b"\xff\xff\0\0\1\0\0\0"],
    "dissected": [b"", b"\x01a\t\x02b\n\x03c"],
    "own": [b"", b"\x0c" + _LDAP_BIND, b"\x08" + _HL7, b"\x10" + _HL7 + b"\xff\xfe\xfd\x10" + _HL7],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_reads_its_inputs(family: str) -> None:
    one = FAMILIES[family]()
    for data in INPUTS[family]:
        one(data)
