"""Roles come from what hosts do; the ledger wins."""

from dataclasses import replace

from collector.sightings import Arp, Dhcp, Dicom, Hl7, Kerberos, SwitchNeighbor
from detector.hospital import Asset, Hospital, Segment
from detector.roles import RoleInference
from tests.detector.windows import START_NS, World, flow

SERVER, CLIENT = "10.0.0.2", "10.0.5.7"


def learn(world: World, *flows: object, sightings: tuple = ()) -> None:
    RoleInference().observe(world.window(flows, sightings))


def test_a_host_that_answers_kerberos_and_ldap_is_a_domain_controller() -> None:
    world = World()
    apps = {88: "kerberos", 389: "ldap", 53: "dns", 445: "smb"}
    learn(world, *[flow(CLIENT, SERVER, port, app=app) for port, app in apps.items()])
    assert world.hosts.at(SERVER).role == "domain_controller"
    assert "answers kerberos" in world.hosts.at(SERVER).role_reason
    assert world.hosts.at(CLIENT).role == "unknown"


def test_one_client_of_smb_makes_no_file_server_five_do() -> None:
    world = World()
    learn(world, flow(CLIENT, SERVER, 445, app="smb"))
    assert world.hosts.at(SERVER).role == "unknown"
    learn(world, *[flow(f"10.0.5.{i}", SERVER, 445, app="smb") for i in range(1, 6)])
    assert world.hosts.at(SERVER).role == "file_server"


def test_a_scanner_that_finds_a_port_open_makes_no_printer() -> None:
    world = World()
    learn(world, flow("10.0.9.1", CLIENT, 9100))
    assert world.hosts.at(CLIENT).role == "unknown"
    printed = [flow(f"10.0.5.{n}", SERVER, 9100) for n in range(2)]
    learn(world, *printed)
    assert world.hosts.at(SERVER).role == "printer"


def test_a_pc_on_which_people_work_is_a_terminal() -> None:
    """It prints, asks for tickets and updates, and somebody logs on; no single sign decides."""
    world = World()
    logon = Kerberos(time_ns=START_NS, ip=CLIENT, peer_ip=SERVER, message="as_req", client="sato")
    own = replace(logon, ip="10.0.5.8", client="PC-08$")
    asked = [(9100, "printer"), (88, "kerberos"), (8530, "http")]
    for pc in (CLIENT, "10.0.5.8"):
        learn(world, *[flow(pc, SERVER, port, app=app) for port, app in asked])
    assert world.hosts.at(CLIENT).role == world.hosts.at("10.0.5.8").role == "unknown"
    roles = RoleInference()
    roles.observe(world.window(
        [flow(pc, SERVER, port, app=app) for port, app in asked for pc in (CLIENT, "10.0.5.8")],
        (logon, own),
    ))  # fmt: skip
    assert world.hosts.at(CLIENT).role == "terminal"
    assert world.hosts.at("10.0.5.8").role == "unknown"  # its own account is nobody
    assert roles.inferred()[world.hosts.number_of(CLIENT)] == "terminal"


def test_who_keeps_the_worklist_is_no_pacs() -> None:
    world = World()
    asks = [
        Dicom(time_ns=START_NS, ip=f"10.0.5.{n}", peer_ip=SERVER, message="c_find",
              sop_class="1.2.840.10008.5.1.4.31") for n in range(3)
    ]  # fmt: skip
    learn(world, *[flow(a.ip, SERVER, 104, app="dicom") for a in asks], sightings=tuple(asks))
    assert world.hosts.at(SERVER).role != "pacs"


def test_a_server_of_updates_is_more_than_a_server() -> None:
    world = World()
    learn(world, *[flow(f"10.0.5.{n}", SERVER, 8530, app="http") for n in range(20)])
    assert world.hosts.at(SERVER).role == "wsus"


def test_unanswered_flows_are_no_evidence() -> None:
    world = World()
    learn(world, flow(CLIENT, SERVER, 9100, state="S0"))
    assert world.hosts.at(SERVER).role == "unknown"


def test_modality_pacs_and_viewer_by_what_they_say() -> None:
    """C-MOVE has the archive send images to a viewer, which makes neither of them the other."""
    world = World()
    modalities, viewer = [f"10.0.5.{n}" for n in range(1, 4)], "10.0.6.1"
    said = []
    for ip in modalities:
        seen = {"time_ns": START_NS, "ip": ip, "peer_ip": SERVER}
        said.append(Dicom(message="c_find", sop_class="1.2.840.10008.5.1.4.31", **seen))
        said.append(Dicom(message="c_store", **seen))
    asked = {"time_ns": START_NS, "ip": viewer, "peer_ip": SERVER}
    for message in ("c_find", "c_move"):
        said.append(Dicom(message=message, sop_class="1.2.840.10008.5.1.4.1.2.2.1", **asked))
    sent = Dicom(time_ns=START_NS, ip=SERVER, peer_ip=viewer, message="c_store")
    flows = [flow(ip, SERVER, 104, app="dicom") for ip in (*modalities, viewer)]
    flows.append(flow(SERVER, viewer, 11112, app="dicom"))
    roles = RoleInference()
    roles.observe(world.window(flows, (sent,)))  # prefetch, before anything was made today
    assert world.hosts.at(viewer).role == "unknown"
    roles.observe(world.window(flows, (*said, sent)))
    assert [world.hosts.at(ip).role for ip in modalities] == ["modality"] * 3
    assert world.hosts.at(SERVER).role == "pacs"
    assert world.hosts.at(viewer).role == "viewer"


def test_who_draws_studies_over_the_web_all_day_is_a_viewer() -> None:
    world = World(Hospital(assets=(Asset(ip=SERVER, role="pacs"),)))
    reads = [flow(CLIENT, SERVER, 443, at=n, app="tls", reply_bytes=9_000_000) for n in range(20)]
    looks = [
        flow("10.0.5.9", SERVER, 443, at=n, app="tls", reply_bytes=9_000_000) for n in range(9)
    ]
    learn(world, *reads, *looks)
    assert world.hosts.at(CLIENT).role == "viewer"
    assert world.hosts.at("10.0.5.9").role == "unknown"


def test_an_analyser_is_known_by_its_laboratory() -> None:
    """Whoever calls whom; of two that speak ASTM alone nobody knows which is which."""
    world = World()
    analysers = [f"10.0.7.{n}" for n in range(1, 4)]
    links = [(ip, SERVER) for ip in analysers[:2]] + [(SERVER, analysers[2])]
    learn(world, *[flow(one, other, 4001, app="astm") for one, other in links[:2]])
    assert world.hosts.at(SERVER).role == world.hosts.at(analysers[0]).role == "unknown"
    learn(world, *[flow(one, other, 4001, app="astm") for one, other in links])
    assert world.hosts.at(SERVER).role == "server"
    assert [world.hosts.at(ip).role for ip in analysers] == ["analyser"] * 3


def test_results_by_hl7_make_no_analyser_but_asking_what_to_measure_does() -> None:
    """A laboratory's system sends OUL to the charts as well."""
    world = World()
    laboratory = "10.0.5.9"
    kinds = ((CLIENT, "QBP^Q11"), (CLIENT, "OUL^R22"), (laboratory, "OUL^R22"))
    said = tuple(
        Hl7(time_ns=START_NS, ip=ip, peer_ip=SERVER, message_type=kind) for ip, kind in kinds
    )
    flows = [flow(ip, SERVER, 2575, app="hl7") for ip in (CLIENT, laboratory)]
    learn(world, *flows, sightings=said)
    assert world.hosts.at(CLIENT).role == "analyser"
    assert world.hosts.at(laboratory).role == "unknown"


def test_a_camera_answers_rtsp_and_a_recorder_asks() -> None:
    world = World()
    recorder, cameras = "10.0.8.9", [f"10.0.8.{n}" for n in range(20, 33)]
    seen = [flow(recorder, ip, 554, app="rtsp") for ip in cameras]
    learn(world, *seen, flow(CLIENT, recorder, 554, app="rtsp"))
    assert {world.hosts.at(ip).role for ip in cameras} == {"camera"}
    assert world.hosts.at(recorder).role == "server"  # it answers RTSP too


def test_gateway_and_switch() -> None:
    world = World()
    ack = Dhcp(time_ns=START_NS, ip=SERVER, message="ack", client_mac="", server_id=SERVER,
               routers=("10.0.0.1",))  # fmt: skip
    switch = SwitchNeighbor(time_ns=START_NS, protocol="lldp", management_ip="10.0.0.9",
                            capabilities=("bridge",))  # fmt: skip
    learn(world, sightings=(ack, switch))
    assert world.hosts.at(SERVER).role == "dhcp"
    assert world.hosts.at("10.0.0.1").role == "gateway"
    assert world.hosts.at("10.0.0.9").role == "network_device"


def test_the_ledger_wins() -> None:
    world = World(Hospital(assets=(Asset(ip=SERVER, role="backup"),)))
    learn(world, flow(CLIENT, SERVER, 88, app="kerberos"), flow(CLIENT, SERVER, 389, app="ldap"))
    assert world.hosts.at(SERVER).role == "backup"


def test_an_address_with_the_mac_of_the_plans_gateway_is_the_gateway() -> None:
    """Vendors' routers answer ARP for what they hand out; a caller's address is no gateway."""
    core, vendor = "00:12:e2:00:00:01", "00:A0:DE:00:00:02"
    plan = Hospital(
        segments=(
            Segment(name="放射線", vlan=30, prefixes=("10.0.30.0/24",), gateway_macs=(core,)),
            Segment(name="業者", vlan=70, prefixes=("10.0.70.0/24",), gateway_macs=(core, vendor)),
        )
    )
    world = World(plan)

    def says(ip: str, mac: str, vlan: int) -> Arp:
        return Arp(time_ns=START_NS, vlan=vlan, mac=mac, ip=ip, operation=2, sender_mac=mac,
                   sender_ip=ip, target_mac="", target_ip="10.0.30.15")  # fmt: skip

    told = (says("10.0.30.1", core.upper(), 30), says("10.0.70.1", core, 70),
            says("10.0.70.33", vendor, 70), says("10.0.30.9", vendor, 30),
            says("10.0.30.8", core, 70), says("10.0.30.7", "00:00:5e:00:53:01", 30))  # fmt: skip
    learn(world, sightings=told)
    roles = {arp.sender_ip: world.hosts.at(arp.sender_ip) for arp in told}
    assert [ip for ip, host in roles.items() if host and host.role == "gateway"] == [
        "10.0.30.1", "10.0.70.1",
    ]  # fmt: skip


def test_of_several_planned_macs_the_gateway_is_asked_for_by_all() -> None:
    """A firewall answers ARP for its VPN's callers too; hardly anybody asks for these."""
    core, firewall = "00:12:e2:00:00:01", "90:6c:ac:00:00:01"
    segments = (
        Segment(name="対外", vlan=90, prefixes=("10.0.90.0/24",), gateway_macs=(core, firewall)),
        Segment(name="管理", vlan=80, prefixes=("10.0.80.0/24",), gateway_macs=(core,)),
    )
    world = World(Hospital(segments=segments))

    def arp(operation: int, mac: str, ip: str, target: str) -> Arp:
        return Arp(time_ns=START_NS, vlan=90, mac=mac, ip=ip, operation=operation, sender_mac=mac,
                   sender_ip=ip, target_mac="", target_ip=target)  # fmt: skip

    answers = [arp(2, firewall, ip, "10.0.90.20") for ip in ("10.0.90.1", "10.0.90.200")]
    asks = [arp(1, f"00:00:5e:00:53:{n}", f"10.0.90.{n}", "10.0.90.1") for n in range(20, 24)]
    asks += [arp(1, f"00:00:5e:00:53:{n}", f"10.0.90.{n}", "10.0.90.200") for n in range(20, 23)]
    learn(world, sightings=(*answers, *asks))
    assert world.hosts.at("10.0.90.1").role == "gateway"
    assert world.hosts.at("10.0.90.200") is None or world.hosts.at("10.0.90.200").role == "unknown"
