"""MAC tables of switches tell the port of each machine: CSV with headings, or as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.asset_rows import compare_assets, import_ports
from collector.sightings import Arp, MonitorEvent
from detector.assets import AssetLog
from detector.hospital import Asset
from detector.store import Store
from detector.switch_ports import EdgePort, PortEntry, differs_in_port, edge_ports, read_mac_table
from tests.detector.windows import START_NS, World

MAC = "00:11:22:aa:bb:01"
CISCO = b"""          Mac Address Table
Vlan    Mac Address       Type        Ports
----    -----------       --------    -----
  10    0011.22aa.bb01    DYNAMIC     Gi1/0/5
 All    0100.0ccc.cccc    STATIC      CPU
  10    0011.22aa.bb02    DYNAMIC     Po1
Total Mac Addresses for this criterion: 3
"""
ALLIED = b"""VLAN port             mac            type
1    port1.0.7        0011.22aa.bb01  dynamic
"""
JUNOS = b"""   v10    00:11:22:aa:bb:01   D   -   ge-0/0/3.0   0   0
"""


@pytest.mark.parametrize(
    ("printed", "port"), [(CISCO, "Gi1/0/5"), (ALLIED, "port1.0.7"), (JUNOS, "ge-0/0/3.0")]
)
def test_reads_what_switches_print(printed: bytes, port: str) -> None:
    entries, faults = read_mac_table(printed, "SW-3F")
    assert faults == []
    assert PortEntry("SW-3F", port, MAC) in entries


@pytest.mark.parametrize("encoding", ["cp932", "utf-8-sig"])
def test_reads_a_table_with_headings_and_names_faulty_rows(encoding: str) -> None:
    table = (
        "スイッチ,MACアドレス,ポート\r\nSW-3F,0011.22AA.BB01,Gi1/0/5\r\nSW-3F,00:11:22,Gi1/0/6\r\n"
    )
    entries, faults = read_mac_table(table.encode(encoding))
    assert entries == [PortEntry("SW-3F", "Gi1/0/5", MAC)]
    assert [fault.row for fault in faults] == [3]


def test_a_printed_line_without_a_port_is_named_and_a_text_without_macs_refused() -> None:
    entries, faults = read_mac_table(CISCO + b"  10    0011.22aa.bb09    DYNAMIC\n")
    assert (len(entries), [fault.row for fault in faults]) == (2, [8])
    assert read_mac_table(b"hello\n")[0] == []
    assert read_mac_table(b"hello\n")[1] != []


def test_the_port_with_fewest_machines_is_the_edge_and_uplinks_are_none() -> None:
    others = [PortEntry("SW-CORE", "Te1/1", f"00:11:22:aa:cc:{n:02x}") for n in range(40)]
    rows = [*others, PortEntry("SW-CORE", "Te1/1", MAC), PortEntry("SW-3F", "Gi1/0/5", MAC)]
    assert edge_ports(rows) == {MAC: EdgePort("SW-3F", "Gi1/0/5", 1)}


@pytest.mark.parametrize(
    ("seen", "listed", "differs"),
    [
        ("SW-3F Gi1/0/5", "GigabitEthernet1/0/5", False), ("SW-3F Gi1/0/5", "Gi1/0/6", True),
        ("", "Gi1/0/6", False), ("SW-3F Gi1/0/5", "", False),
    ],
)  # fmt: skip
def test_ports_by_their_numbers(seen: str, listed: str, differs: bool) -> None:
    assert differs_in_port(seen, listed) is differs


def test_an_imported_table_stands_beside_the_ledger(tmp_path: Path) -> None:
    store = Store(tmp_path / "mimawari.db").open()
    store.save_seen_assets([{"ip": "10.1.0.5", "mac": MAC, "last_ns": 1}])
    store.replace_ledger([Asset(ip="10.1.0.5", mac=MAC, switch_port="Gi1/0/9")])
    assert compare_assets(store)[0].verdict == "match"
    import_ports(store, [PortEntry("SW-3F", "Gi1/0/5", MAC)])
    row = compare_assets(store)[0]
    assert (row.verdict, row.differs) == ("mismatch", ("port",))
    assert row.seen is not None
    assert row.seen["port"] == "SW-3F Gi1/0/5"
    import_ports(store, [PortEntry("SW-3F", "Gi1/0/9", MAC)])  # plugged over
    assert compare_assets(store)[0].verdict == "match"
    store.close()


def test_switches_records_name_the_port_of_a_host_already_seen() -> None:
    world = World()
    spoke = Arp(time_ns=START_NS, mac=MAC, ip="10.20.40.7", operation=1, sender_mac=MAC,
                sender_ip="10.20.40.7", target_mac="", target_ip="10.20.40.1")  # fmt: skip
    told = MonitorEvent(time_ns=START_NS + 1, monitor="switch", event="mac_moved", mac=MAC,
                        reporter_ip="10.20.99.2", port_name="Gi1/0/5")  # fmt: skip
    log = AssetLog(world.hosts, world.hospital)
    log.observe(world.window([], [spoke, told]))
    [asset] = log.take_changed()
    assert (asset["ip"], asset["port"]) == ("10.20.40.7", "10.20.99.2 Gi1/0/5")
