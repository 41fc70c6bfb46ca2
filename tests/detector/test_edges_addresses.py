"""Networks over columns of addresses agree with the standard library, address by address."""

from ipaddress import ip_address, ip_network

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.flows import address_number
from detector.addresses import in_networks, is_one_host

NETWORKS = tuple(
    ip_network(n) for n in ("10.0.0.0/8", "192.168.4.0/22", "203.0.113.7/32", "fc00::/7")
)


@given(st.lists(st.ip_addresses(), min_size=1), st.sets(st.sampled_from(NETWORKS)))
def test_membership(addresses: list, networks: set) -> None:
    column = np.array([address_number(str(a)) for a in addresses], np.uint64)
    chosen = tuple(networks)
    expected = [any(a.version == n.version and a in n for n in chosen) for a in addresses]
    assert in_networks(column, chosen).tolist() == expected


def test_what_is_one_host() -> None:
    texts = ["10.0.0.5", "10.0.0.255", "224.0.0.1", "255.255.255.255", "127.0.0.1", "0.0.0.0",
             "2001:db8::1", "ff02::1", "::", "::1"]  # fmt: skip
    column = np.array([address_number(str(ip_address(t))) for t in texts], np.uint64)
    one = is_one_host(column)
    assert [t for t, is_one in zip(texts, one, strict=True) if is_one] == [
        "10.0.0.5", "2001:db8::1",
    ]  # fmt: skip
