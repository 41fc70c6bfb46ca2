"""Attackers' SMB libraries and relayed logons, from their wires and from hand-made sightings."""

from __future__ import annotations

import shutil
import struct

import pytest

from collector.sightings import Ntlm, Sighting, Smb
from detector.lateral.attack_library import AttackLibrary
from detector.lateral.relayed_logon import RelayedLogon
from tests.collector.rpc_wires import Conversation, smb2, told_of
from tests.detector.test_lateral_calls import CLIENT, SERVER, smb
from tests.detector.windows import START_NS, S, World

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
VICTIM, ATTACKER, CONTROLLER = "10.0.1.7", "10.0.1.66", "10.0.2.1"


def negotiate(guid: bytes, capabilities: int) -> bytes:
    """A NEGOTIATE request (MS-SMB2 §2.2.3) for 2.0.2 and 2.1."""
    return struct.pack("<HHHHI", 36, 2, 1, 0, capabilities) + guid + bytes(8) + b"\2\2\x10\2"


@needs_tshark
@pytest.mark.parametrize(
    ("guid", "capabilities", "library"),
    [
        (b"hZXmrcleIEcKyeSA", 0x40, "impacket"),
        (bytes(16), 0x40, "Invoke-TheHash"),
        (bytes(16), 0, ""),
        (bytes.fromhex("bbfea88a8bbfea11a7040050560cd549"), 0x7F, ""),
        (b"hZXmrcleIEcKyeS1", 0x40, ""),
    ],
)
def test_a_negotiation_gives_its_library_away(guid: bytes, capabilities: int, library: str) -> None:
    said = Conversation(445)
    said.ask(smb2((0, 0, negotiate(guid, capabilities), False)))
    (seen,) = (one for one in told_of(said) if isinstance(one, Smb))
    assert seen.client == library


@needs_tshark
def test_a_servers_challenge_is_read() -> None:
    challenge = bytes.fromhex("0123456789abcdef")
    token = b"NTLMSSP\0" + struct.pack("<IHHII", 2, 0, 0, 56, 0x00000201) + challenge + bytes(24)
    said = Conversation(445)
    said.ask(smb2((1, 1, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, 0, 0), False)))
    said.answer(smb2((1, 1, struct.pack("<HHHH", 9, 0, 72, len(token)) + token, True)))
    assert [one.challenge for one in told_of(said) if isinstance(one, Ntlm)] == ["0123456789abcdef"]


def findings(detector: AttackLibrary | RelayedLogon, *seen: Sighting, role: str = "unknown"):
    world = World()
    world.hosts.at(CLIENT).role = role  # type: ignore[assignment]  # some role
    world.hosts.at(ATTACKER).role = role  # type: ignore[assignment]
    return list(world.run(detector, world.window([], list(seen))))


def test_a_library_of_attackers_is_told_with_its_ends() -> None:
    (finding,) = findings(AttackLibrary(), smb(0, client="impacket"))
    assert (finding.source, finding.targets) == (CLIENT, (SERVER,))
    assert finding.score >= 50
    assert "T1021.002" in finding.techniques


def test_other_clients_and_scanners_are_silent() -> None:
    assert findings(AttackLibrary(), smb(0), smb(5, file="a.txt")) == []
    assert findings(AttackLibrary(), smb(0, client="impacket"), role="scanner") == []


def challenge(
    server: str, client: str, value: str = "0123456789abcdef", at: float = 0.0, port: int = 445
):
    return Ntlm(
        time_ns=START_NS + int(at * S), ip=server, port=port, peer_ip=client, peer_port=50000,
        message="challenge", challenge=value,
    )  # fmt: skip


def test_a_challenge_that_is_passed_on_is_a_relay() -> None:
    (finding,) = findings(
        RelayedLogon(), challenge(CONTROLLER, ATTACKER, port=389), challenge(ATTACKER, VICTIM, at=1)
    )
    assert (finding.variant, finding.source) == ("relayed", ATTACKER)
    assert set(finding.targets) == {CONTROLLER, VICTIM}
    assert finding.score == 95


def test_a_challenge_sent_back_to_its_own_server_is_a_relay_too() -> None:
    sent = challenge(CONTROLLER, ATTACKER), challenge(ATTACKER, CONTROLLER, at=1)
    assert [f.targets for f in findings(RelayedLogon(), *sent)] == [(CONTROLLER,)]


def test_a_frame_seen_twice_another_challenge_and_a_late_one_are_no_relay() -> None:
    first = challenge(CONTROLLER, ATTACKER)
    twice = challenge(CONTROLLER, ATTACKER, at=0.1)
    other = challenge(ATTACKER, VICTIM, "ffffffffffffffff", at=1)
    late = challenge(ATTACKER, VICTIM, at=90)
    assert findings(RelayedLogon(), first, twice, other, late) == []


def test_web_logons_that_a_balancer_passes_on_weigh_little() -> None:
    sent = challenge(CONTROLLER, ATTACKER, port=443), challenge(ATTACKER, VICTIM, at=1, port=443)
    assert [f.score for f in findings(RelayedLogon(), *sent)] == [45]
    assert findings(RelayedLogon(), *sent, role="gateway") == []


def test_a_fixed_challenge_is_a_password_catcher() -> None:
    (finding,) = findings(RelayedLogon(), challenge(ATTACKER, VICTIM, "1122334455667788"))
    assert (finding.variant, finding.source, finding.targets) == ("caught", ATTACKER, (VICTIM,))
