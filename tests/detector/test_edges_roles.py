"""Roles come from what hosts do; the ledger wins."""

from dataclasses import replace

from collector.sightings import Arp, Dhcp, Dicom, Kerberos, SwitchNeighbor
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


def test_modality_and_pacs_by_what_they_say() -> None:
    world = World()
    seen = {"time_ns": START_NS, "ip": CLIENT, "peer_ip": SERVER}
    learn(
        world,
        flow(CLIENT, SERVER, 104, app="dicom"),
        sightings=(
            Dicom(message="c_find", sop_class="1.2.840.10008.5.1.4.31", **seen),
            Dicom(message="c_store", **seen),
        ),
    )
    assert world.hosts.at(CLIENT).role == "modality"
    assert world.hosts.at(SERVER).role == "pacs"


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
