"""Roles come from what hosts do; the ledger wins."""

from collector.sightings import Dhcp, Dicom, SwitchNeighbor
from detector.hospital import Asset, Hospital
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
