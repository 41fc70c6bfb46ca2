"""Remote calls, administrative shares and SMB exploits, from hand-made packets."""

from collections.abc import Iterator

import pytest

from collector.apps import APP_CODE
from collector.sightings import Dcerpc, Ntlm, Smb
from detector.detection import Finding
from detector.hospital import Asset, Hospital
from detector.lateral import rpc_rules as rpc
from detector.lateral.remote_calls import RemoteCalls
from detector.lateral.sealed_sync import SealedSync
from detector.lateral.shares import AdminShares
from detector.lateral.smb_exploit import SmbExploit
from tests.detector.windows import START_NS, S, World, flow

CLIENT, SERVER = "10.0.1.7", "10.0.2.9"


def packet(kind: type, at: float = 0.0, answer: bool = False, **fields: object):
    ends = {"ip": CLIENT, "port": 50000, "peer_ip": SERVER, "peer_port": 445}
    if answer:
        ends = {"ip": SERVER, "port": 445, "peer_ip": CLIENT, "peer_port": 50000}
    return kind(time_ns=START_NS + int(at * S), **{**ends, **fields})


def call(interface: str, operation: int, at: float = 0.0, **fields: object) -> Dcerpc:
    return packet(Dcerpc, at, packet="request", interface=interface, operation=operation, **fields)


def smb(command: int, at: float = 0.0, answer: bool = False, **fields: object) -> Smb:
    fields.setdefault("dialect", 2)
    return packet(Smb, at, answer, command=command, is_response=answer, **fields)


def found(sightings: list, world: World | None = None) -> dict[str, float]:
    """Variant → score of what the remote-call detector finds."""
    world = world or World()
    return {f.variant: f.score for f in world.run(RemoteCalls(), world.window([], sightings))}


@pytest.mark.parametrize(
    ("interface", "operation", "variant", "technique"),
    [
        (rpc.SVCCTL, 12, "service", "T1569.002"),
        (rpc.ATSVC, 0, "task", "T1053.002"),
        (rpc.TASKS, 1, "task", "T1053.005"),
        (rpc.WBEM_SERVICES, 24, "wmi", "T1047"),
        (rpc.WBEM_SERVICES, 14, "wmi_subscription", "T1546.003"),
        (rpc.DRSUAPI, 3, "dcsync", "T1003.006"),
        (rpc.WINREG, 20, "hive", "T1003.002"),
        (rpc.SPOOLSS, 89, "print_nightmare", "T1210"),
        (rpc.SPOOLSS, 65, "printer_bug", "T1187"),
        (rpc.EFSR, 0, "coercion", "T1187"),
        (rpc.NETDFS, 13, "coercion", "T1187"),
        (rpc.EVENTLOG, 0, "log_clear", "T1070.001"),
        (rpc.EVENT_SERVICE, 6, "log_clear", "T1070.001"),
        (rpc.SAMR, 58, "password_reset", "T1098"),
        (rpc.SAMR, 22, "group_member", "T1098.007"),
        (rpc.SAMR, 31, "group_member", "T1098.007"),
        (rpc.SAMR, 35, "account_delete", "T1531"),
        (rpc.LSARPC, 43, "lsa_secret", "T1003.004"),
        (rpc.LSARPC, 37, "rights", "T1098"),
        (rpc.DRSUAPI, 5, "dcshadow", "T1207"),
        (rpc.DRSUAPI, 17, "dcshadow", "T1207"),
        (rpc.DRSUAPI, 20, "sid_history", "T1134.005"),
        (rpc.NETLOGON, 42, "netsync", "T1003"),
        (rpc.SVCCTL, 5, "service_rights", "T1543.003"),
        (rpc.SVCCTL, 51, "service_stop", "T1489"),
        (rpc.SVCCTL, 42, "service_manager", "T1007"),
        (rpc.WINREG, 19, "registry", "T1112"),
        (rpc.WINREG, 30, "shutdown", "T1529"),
        (rpc.SASEC, 0, "task", "T1053.005"),
        (rpc.TASKS, 19, "task", "T1053.005"),
        (rpc.WBEM_SERVICES, 8, "wmi_subscription", "T1546.003"),
        (rpc.WBEM_SERVICES, 18, "wmi_query", "T1047"),
        (rpc.EFSR, 21, "coercion", "T1187"),
        (rpc.OLD_ACTIVATOR, 0, "dcom", "T1021.003"),
        (rpc.CERTIFICATES, 0, "certificate", "T1649"),
        (rpc.SPOOLSS, 62, "printer_bug", "T1187"),
        (rpc.EFSR2, 4, "coercion", "T1187"),
        (rpc.NETDFS, 12, "coercion", "T1187"),
        (rpc.FSRVP, 8, "coercion", "T1187"),
        (rpc.FSRVP, 9, "coercion", "T1187"),
        (rpc.EVENTLOG, 9, "coercion", "T1187"),
        (rpc.WINREG, 31, "hive", "T1003.002"),
        (rpc.SAMR, 50, "account_create", "T1136.002"),
        (rpc.ACTIVATOR, 4, "dcom", "T1021.003"),
    ],
)
def test_one_call_tells(interface: str, operation: int, variant: str, technique: str) -> None:
    world = World()
    (finding,) = world.run(RemoteCalls(), world.window([], [call(interface, operation)]))
    assert (finding.variant, finding.source, finding.targets) == (variant, CLIENT, (SERVER,))
    assert technique in finding.techniques
    assert finding.flows[0].destination_port == 445


@pytest.mark.parametrize(
    ("interface", "operation"),
    [(rpc.DRSUAPI, 12), (rpc.NETLOGON, 45), (rpc.EPM, 3), (rpc.WINREG, 2), (rpc.SAMR, 5),
     (rpc.LSARPC, 77), (rpc.LSARPC, 57), (rpc.SAMR, 46), (rpc.DRSUAPI, 16), (rpc.NETLOGON, 30),
     (rpc.EVENTLOG, 7), (rpc.SPOOLSS, 1)],
)  # fmt: skip
def test_everyday_calls_are_silent(interface: str, operation: int) -> None:
    assert found([call(interface, operation)]) == {}


def test_the_pipe_names_the_interface_when_the_bind_was_missed() -> None:
    assert "service" in found([call("", 12, pipe="\\PIPE\\svcctl")])
    assert "service" in found([call("", 12, pipe="ntsvcs")])


def test_domain_controllers_replicate() -> None:
    world = World()
    world.hosts.at(CLIENT).role = "domain_controller"
    assert found([call(rpc.DRSUAPI, 3), call(rpc.DRSUAPI, 5), call(rpc.NETLOGON, 42)], world) == {}


def test_a_write_to_admin_share_makes_an_execution_graver() -> None:
    write = smb(9, tree=f"\\\\{SERVER}\\ADMIN$", file="abc.tmp", write_length=100)
    assert found([write, call(rpc.SVCCTL, 12, 5)])["service"] == 90
    assert found([call(rpc.SVCCTL, 12)])["service"] == 70


def test_who_ends_the_service_it_made_stops_nobody_elses() -> None:
    """As PsExec does when it goes; whoever ends more than it made is told."""
    made = [call(rpc.SVCCTL, 12), call(rpc.SVCCTL, 19, 1)]
    own = [call(rpc.SVCCTL, 1, 2), call(rpc.SVCCTL, 2, 3)]
    assert set(found([*made, *own])) == {"service"}
    assert "service_stop" in found([*made, *own, call(rpc.SVCCTL, 1, 4)])
    assert "service_stop" in found(own)
    elsewhere = [call(rpc.SVCCTL, 2, 3, peer_ip="10.0.2.77")]
    assert "service_stop" in found([*made, *elsewhere])
    assert "service_stop" in found([*made, call(rpc.SVCCTL, 2, 3 + 700)])


def test_what_a_person_approved_counts_less_but_dcsync_never() -> None:
    world = World()
    world.age(1, flow(CLIENT, SERVER, 445, app="smb"))
    world.edges.approve(CLIENT, SERVER, APP_CODE["smb"])
    assert found([call(rpc.SVCCTL, 12)], world)["service"] == pytest.approx(21)
    assert found([call(rpc.DRSUAPI, 3)], world)["dcsync"] == 98


def test_wmi_is_not_taken_for_other_dcom() -> None:
    calls = [call(rpc.ACTIVATOR, 4), call(rpc.WBEM_LOGIN, 6, 1), call(rpc.WBEM_SERVICES, 24, 2)]
    assert set(found(calls)) == {"wmi", "wmi_query"}


def test_zerologon_is_a_burst_of_challenges() -> None:
    tries = [call(rpc.NETLOGON, op, i / 10) for i in range(60) for op in (4, 15)]
    assert found(tries)["zerologon"] == 95
    slow = [call(rpc.NETLOGON, 4, i * 60) for i in range(60)]
    assert found(slow) == {}


def test_zerologon_that_succeeds_early_ends_in_a_password() -> None:
    tries = [call(rpc.NETLOGON, op, i / 10) for i in range(5) for op in (4, 26)]
    assert found(tries) == {}
    assert found([*tries, call(rpc.NETLOGON, 30, 1)])["zerologon"] == 95
    assert found([*tries, call(rpc.NETLOGON, 6, 1)])["zerologon"] == 95
    assert found([*tries, call(rpc.NETLOGON, 30, 120)]) == {}


def test_a_member_that_renews_its_password_is_no_zerologon() -> None:
    shaken = [call(rpc.NETLOGON, op, at) for at in (0, 1) for op in (4, 26)]
    assert found([*shaken, call(rpc.NETLOGON, 30, 2)]) == {}


def test_one_constant_challenge_is_zerologon() -> None:
    assert found([call(rpc.NETLOGON, 4, is_challenge_constant=True)])["zerologon"] == 95


def test_a_walk_over_sids_is_an_enumeration() -> None:
    def lookups(count: int, sids: int) -> list[Dcerpc]:
        return [call(rpc.LSARPC, 57, i, stub_bytes=36 * sids) for i in range(count)]

    assert found(lookups(4, 1000)) == {"enumeration": 50}
    assert found(lookups(20, 10)) == {}


@pytest.mark.parametrize(
    ("interface", "operation", "technique", "score"),
    [(rpc.WINREG, 4, "T1012", 40), (rpc.SESSIONS, 1, "T1049", 30)],
)
def test_who_is_logged_on_is_asked_of_registry_and_terminal_service(
    interface: str, operation: int, technique: str, score: float
) -> None:
    """The hives of HKEY_USERS are those of who is logged on."""
    world = World()
    (finding,) = world.run(RemoteCalls(), world.window([], [call(interface, operation)]))
    assert (finding.variant, finding.score, finding.targets) == ("enumeration", score, (SERVER,))
    assert {"T1033", technique} <= set(finding.techniques)


def test_what_stands_beside_an_enumeration_is_named_with_it() -> None:
    world = World()
    calls = [call(rpc.SAMR, 46), call(rpc.LSARPC, 15, 1), call(rpc.SAMR, 13, 2)]
    (finding,) = world.run(RemoteCalls(), world.window([], calls))
    assert finding.facts["calls"] == ["password rules", "names of SIDs", "users"]
    assert {"T1201", "T1087.002"} <= set(finding.techniques)
    assert finding.score == 50


def test_a_log_service_that_dies_of_a_clear() -> None:
    broken = smb(46, 1, answer=True, dialect=1, status=0xC000014B)
    assert set(found([call(rpc.EVENTLOG, 0), broken])) == {"log_clear", "log_crash"}


def test_service_managers_of_several_hosts_add_up() -> None:
    calls = [call(rpc.SVCCTL, 15, i, peer_ip=f"10.0.2.{i}") for i in range(1, 4)]
    assert found(calls)["service_manager"] == 70
    assert found(calls[:1])["service_manager"] == 30


def test_a_forced_logon_that_follows_is_a_relay() -> None:
    force = call(rpc.EFSR, 0)
    logon = packet(Ntlm, 5, True, message="authenticate", user="DC1$")
    late = packet(Ntlm, 90, True, message="authenticate", user="DC1$")
    assert found([force, logon])["relay"] == 95
    assert "relay" not in found([force, late]) and "relay" not in found([logon])


def test_the_user_is_named() -> None:
    world = World()
    logon = packet(Ntlm, message="authenticate", user="yamada")
    (finding,) = world.run(RemoteCalls(), world.window([], [logon, call(rpc.SVCCTL, 12, 1)]))
    assert finding.facts["user"] == "yamada"


def shares(sightings: list) -> dict[str, float]:
    world = World()
    return {f.variant: f.score for f in world.run(AdminShares(), world.window([], sightings))}


def test_only_writes_to_admin_shares_tell() -> None:
    public, admin = f"\\\\{SERVER}\\public", f"\\\\{SERVER}\\C$"
    assert shares([smb(3, tree=admin)]) == {}
    assert shares([smb(9, tree=public, file="a.exe", write_length=9)]) == {}
    assert shares([smb(9, tree=admin, file="a.txt", write_length=9)]) == {"write": 55}
    assert shares([smb(9, tree=admin, file="a.exe", write_length=9)]) == {"program": 75}
    assert shares([smb(9, tree=admin, file="a", magic="MZ", write_length=9)]) == {"program": 75}


@pytest.mark.parametrize("name", ["PSEXESVC", "RemCom_communicaton", "winexesvc.exe", "__output"])
def test_tool_names(name: str) -> None:
    assert shares([smb(5, tree=f"\\\\{SERVER}\\IPC$", file=name)]) == {"tool": 85}


@pytest.mark.parametrize(
    ("name", "technique"),
    [
        ("Temp\\kVxQbTzd.tmp", "T1053.005"),
        ("SYSTEM32\\kVxQbTzd.tmp", "T1003.002"),
        ("__1704672000.1234567", "T1047"),
        ("paexec-77-HOST.exe", "T1569.002"),
        ("csexecsvc.exe", "T1569.002"),
    ],
)
def test_a_tools_files_on_an_administrative_share_tell_its_means(name: str, technique: str) -> None:
    world = World()
    opened = smb(5, tree=f"\\\\{SERVER}\\ADMIN$", file=name)
    (finding,) = world.run(AdminShares(), world.window([], [opened]))
    assert finding.variant == "tool"
    assert technique in finding.techniques


@pytest.mark.parametrize(
    ("share", "name"),
    [("public", "temp\\ABCDEFGH.tmp"), ("ADMIN$", "Temp\\wdf1A2B.tmp"), ("C$", "job.tmp")],
)
def test_other_temporary_files_are_no_tools(share: str, name: str) -> None:
    assert shares([smb(5, tree=f"\\\\{SERVER}\\{share}", file=name)]) == {}


def test_three_hosts_in_an_hour() -> None:
    opens = [smb(3, i, peer_ip=f"10.0.2.{i}", tree=f"\\\\10.0.2.{i}\\C$") for i in range(1, 4)]
    assert shares(opens) == {"many": 65}
    assert shares(opens[:2]) == {}


def exploits(sightings: list) -> Iterator[tuple[str, float]]:
    world = World()
    for finding in world.run(SmbExploit(), world.window([], sightings)):
        yield finding.variant, finding.score


def test_doublepulsar_knock_and_answer() -> None:
    knock = smb(0x32, dialect=1, trans2=0x0E, multiplex=65)
    clean = smb(0x32, 1, answer=True, dialect=1, multiplex=65)
    implant = smb(0x32, 1, answer=True, dialect=1, multiplex=81)
    assert list(exploits([knock, clean])) == [("doublepulsar", 90)]
    assert list(exploits([knock, implant])) == [("doublepulsar", 98)]


def test_a_host_that_answers_a_test_for_ms17_010_is_open_to_it() -> None:
    asked = smb(0x25, dialect=1)
    is_open = smb(0x25, 1, answer=True, dialect=1, status=0xC0000205)
    is_patched = smb(0x25, 1, answer=True, dialect=1, status=0xC0000008)
    no_room = smb(0x75, 1, answer=True, dialect=1, status=0xC0000205)
    assert list(exploits([asked, is_open])) == [("tested", 75)]
    assert list(exploits([asked, is_patched, no_room])) == []


def test_eternalblue_is_many_secondaries() -> None:
    secondaries = [smb(0x33, i, dialect=1, multiplex=65) for i in range(31)]
    assert list(exploits(secondaries)) == [("eternalblue", 98)]
    assert list(exploits(secondaries[:3])) == []


def notices(server: str, clients: int) -> list[Dcerpc]:
    return [call(rpc.SPOOLSS, 65, n, ip=f"10.0.1.{n}", peer_ip=server) for n in range(clients)]


def test_a_print_server_is_asked_by_many_and_a_controller_by_nobody() -> None:
    world = World(Hospital(assets=(Asset(ip="10.0.0.1", role="domain_controller"),)))
    served = world.run(RemoteCalls(), world.window([], notices("10.0.0.7", 8)))
    assert served == []
    forced = world.run(RemoteCalls(), world.window([], notices("10.0.0.1", 8)))
    assert {f.variant for f in forced} == {"printer_bug"}
    world = World()
    assert {f.variant for f in world.run(RemoteCalls(), world.window([], notices("10.0.0.7", 1)))}


def test_a_tool_on_its_round_is_one_alert() -> None:
    world = World()
    calls = [call(rpc.SVCCTL, 12, n, peer_ip=f"10.0.3.{n}") for n in range(6)]
    told = world.run(RemoteCalls(), world.window([], calls))
    assert [f.key for f in told] == [f"10.0.3.{n}" for n in range(3)] + [CLIENT] * 3
    assert len(told[-1].targets) == 6


def test_a_sealed_replication_by_a_host_that_is_no_controller() -> None:
    bind = packet(Dcerpc, packet="bind", interface=rpc.DRSUAPI, peer_port=49667)

    def answer(kb: int):
        return flow(CLIENT, SERVER, 49667, 1, app="dcerpc", reply_bytes=kb * 1000)

    world = World()
    (told,) = world.run(SealedSync(), world.window([answer(600)], [bind]))
    assert (told.source, told.targets) == (CLIENT, (SERVER,))
    for flows, seen in (([answer(8)], [bind]), ([answer(600)], [])):
        world = World()
        assert world.run(SealedSync(), world.window(flows, seen)) == []
    world = World(Hospital(assets=(Asset(ip=CLIENT, role="domain_controller"),)))
    assert world.run(SealedSync(), world.window([answer(600)], [bind])) == []


def test_a_tool_that_everybody_was_told_of_is_no_intrusion_a_week_later() -> None:
    world = World()

    def day(number: int, targets: int) -> list[Finding]:
        at = number * 86_400
        calls = [call(rpc.SVCCTL, 12, at + n, peer_ip=f"10.0.3.{n}") for n in range(targets)]
        return world.run(RemoteCalls(), world.window([], calls))

    first = day(0, 6)
    for number in range(1, 7):
        later = day(number, 6)
    assert {f.score for f in first} == {70.0}
    assert {(f.key, f.score) for f in later} == {(f"{CLIENT} settled", 35.0)}
    burst = day(7, 30)
    assert (burst[-1].key, burst[-1].score) == (f"{CLIENT} burst", 70.0)


def replication(rpc_calls: tuple[int, ...] = (3,), **ends: object) -> list[Dcerpc]:
    return [call(rpc.DRSUAPI, n, at, peer_port=49667, **ends) for at, n in enumerate(rpc_calls)]


def test_a_listed_synchroniser_fetches_the_directory_and_an_unlisted_host_does_not() -> None:
    listed = World(Hospital(assets=(Asset(ip=CLIENT, role="directory_sync"),)))
    assert found(replication(), listed) == {}
    assert found(replication()) == {"dcsync": 98.0}
    # It may fetch; it may not pose as a controller.
    assert set(found(replication((3, 5)), listed)) == {"dcshadow"}


def test_a_partner_that_a_controller_called_to_fetch_is_a_controller() -> None:
    called = call(rpc.DRSUAPI, 2, ip=SERVER, port=50001, peer_ip=CLIENT, peer_port=49667)
    assert found([called, *replication()]) == {}
    # That the client calls the controller is worth nothing.
    assert found(replication((2, 3))) == {"dcsync": 98.0}
