"""Switches' tables read by SNMP: ports as people call them, uplinks left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.switch_ports import PortEntry
from detector.switch_walk import is_walk, read_walk

WALK = """
.1.3.6.1.2.1.17.1.4.1.2.5 = 10105
.1.3.6.1.2.1.17.1.4.1.2.6 = INTEGER: 10106
.1.3.6.1.2.1.17.1.4.1.2.48 10148
.1.3.6.1.2.1.17.1.4.1.2.47 10147
.1.3.6.1.2.1.31.1.1.1.1.10105 = "Gi1/0/5"
.1.3.6.1.2.1.31.1.1.1.1.10106 = STRING: "Gi1/0/6"
.1.3.6.1.2.1.31.1.1.1.1.10147 "Gi1/0/47"
.1.3.6.1.2.1.31.1.1.1.1.10148 "Gi1/0/48"
.1.3.6.1.2.1.17.4.3.1.2.0.17.34.51.68.85 = 5
.1.3.6.1.2.1.17.4.3.1.2.0.17.34.51.68.99 = 0
.1.3.6.1.2.1.17.7.1.2.2.1.2.30.0.17.34.51.68.85 = 5
.1.3.6.1.2.1.17.7.1.2.2.1.2.30.0.17.34.51.68.86 = 6
.1.3.6.1.2.1.17.7.1.2.2.1.2.30.0.17.34.51.68.87 = 48
.1.3.6.1.2.1.17.7.1.2.2.1.2.30.0.17.34.51.68.88 = 47
.1.3.6.1.2.1.17.7.1.2.2.1.2.30.0.17.34.51.68.89 = 12
.1.0.8802.1.1.2.1.3.7.1.3.3 = "Gi1/0/48"
.1.0.8802.1.1.2.1.3.7.1.3.4 = "Gi1/0/6"
.1.0.8802.1.1.2.1.4.1.1.12.900.3.1 = "28 00 "
.1.0.8802.1.1.2.1.4.1.1.12.900.4.1 = "24 00 "
.1.3.6.1.4.1.9.9.23.1.2.1.1.9.10147.1 = Hex-STRING: 00 00 00 28
"""


def test_ports_have_the_names_that_people_use_and_uplinks_are_left_out() -> None:
    """Behind Gi1/0/48 (LLDP) and Gi1/0/47 (CDP) is a switch, at Gi1/0/6 a telephone."""
    assert is_walk(WALK)
    assert read_walk(WALK, "SW-3F") == [
        PortEntry("SW-3F", "Gi1/0/5", "00:11:22:33:44:55"),
        PortEntry("SW-3F", "Gi1/0/6", "00:11:22:33:44:56"),
        PortEntry("SW-3F", "port12", "00:11:22:33:44:59"),
    ]


def test_what_is_no_walk_is_none() -> None:
    assert not is_walk("Switch,MAC,Port\nSW-3F,00:11:22:33:44:55,Gi1/0/5\n")
    missing = ".1.3.6.1.2.1.17.4.3.1.2 = No Such Object available on this agent at this OID\n"
    assert read_walk(missing, "x") == []


@pytest.mark.parametrize("value", ["9" * 5000, "²", "５", "-1", ""])
def test_a_port_that_is_no_number_is_left_out(value: str) -> None:
    bridge, interface = ".1.3.6.1.2.1.17.4.3.1.2.0.17.34.51.68.90", ".1.3.6.1.2.1.17.1.4.1.2.7"
    told = read_walk(f"{WALK}\n{bridge} = {value}\n{interface} = {value}\n", "SW-3F")
    assert told == read_walk(WALK, "SW-3F")


@given(st.text(st.sampled_from('.0123456789 ="INTEGER:ab\n'), max_size=400))
def test_no_text_breaks_it(tail: str) -> None:
    read_walk(WALK + tail + "\n.1.3.6.1.2.1.17.4.3.1.2" + tail, "x")
