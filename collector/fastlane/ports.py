"""Ports on which a server is likely: they tell who began, where the first packet was not seen."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Service ports of the protocols that Zeek watches, and of a hospital's own.
LIKELY_TCP: Final = (
    21, 22, 25, 53, 80, 81, 88, 102, 104, 110, 135, 139, 143, 389, 443, 445, 465, 502, 563, 585,
    587, 614, 631, 636, 989, 990, 992, 993, 995, 1080, 1433, 1434, 1521, 1883, 2575, 2811, 3128,
    3268, 3306, 3389, 5060, 5223, 5432, 5985, 5986, 6379, 8000, 8080, 8883,
    8888, 11112, 20000, 44818,
)  # fmt: skip
LIKELY_UDP: Final = (
    53, 67, 68, 88, 123, 137, 138, 161, 162, 389, 443, 500, 514, 1812, 2123, 2152, 3544, 4500, 4789,
    5060, 5072, 5353, 5355, 6081, 20000,
)  # fmt: skip


def likely_servers() -> NDArray[np.uint8]:
    """One byte per port: bit 0 for TCP, bit 1 for UDP."""
    servers = np.zeros(65536, np.uint8)
    servers[list(LIKELY_TCP)] |= 1
    servers[list(LIKELY_UDP)] |= 2
    return servers
