"""For whom among the detectors each flow of a window may be news; asked once for all of them.

Most windows hold nothing new for most detectors. One pass says so, and which rows are whose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE, APPS
from collector.fastlane.layout import OUTPUT_DTYPE
from detector import sift_kernels as kernels
from detector.detection import Window
from detector.edges import ADMIN_APPS
from detector.logon_services import LOGON_APPS

#: Control of a screen or a shell: by these paths go on.
CONTROL_APPS: Final = ("rdp", "vnc", "ssh", "winrm", "telnet", "radmin")
DATABASE_APPS: Final = ("mssql", "oracle", "postgres", "mysql", "intersystems")
DIRECTORY_PORTS: Final = (389, 636, 3268, 3269)
PRINTER_PORTS: Final = (9100, 515, 631)
#: Consoles of backup and virtual machines: Veeam, vSphere, Hyper-V by WinRM, NetBackup, Arcserve.
CONSOLE_PORTS: Final = (9392, 9401, 9419, 902, 5985, 5986, 13724, 1556, 8014, 3389, 22)
#: A closed network blocks these for every browser and updater; their failures mean nothing.
BLOCKED_EVERYDAY: Final = (53, 80, 123, 443, 853, 5228)
#: Protocols that a hospital may well speak: ICMP, IGMP, tunnels, IPsec, OSPF, PIM, VRRP, …
_SPOKEN: Final = (
    0, 1, 2, 4, 6, 17, 41, 43, 44, 46, 47, 50, 51, 58, 59, 60, 88, 89, 94, 97, 103, 112, 115, 132,
    137,
)  # fmt: skip
_APP_GROUPS: Final = (
    (kernels.IS_ADMIN, ADMIN_APPS),
    (kernels.IS_PLAIN, ("unknown", "http", "tls")),
    (kernels.IS_CONTROL, CONTROL_APPS),
    (kernels.IS_LOGON, LOGON_APPS),
    (kernels.IS_DATABASE, DATABASE_APPS),
)
_PORT_GROUPS: Final = (
    (kernels.TIME_PORT, (123,)),
    (kernels.UPDATE_PORT, (8530, 8531)),
    (kernels.DIRECTORY_PORT, DIRECTORY_PORTS),
    (kernels.PRINTER_PORT, PRINTER_PORTS),
    (kernels.CONSOLE_PORT, CONSOLE_PORTS),
    (kernels.EVERYDAY_PORT, BLOCKED_EVERYDAY),
)


@cache
def _app_groups() -> NDArray[np.uint8]:
    # Later than this file: the package of lines itself asks for what is sifted.
    from detector.lines.tools import IS_SESSION, IS_TOOL

    groups = IS_TOOL * np.uint8(kernels.IS_TOOL) | IS_SESSION * np.uint8(kernels.IS_CROSSING)
    for bit, apps in _APP_GROUPS:
        groups[[APP_CODE[app] for app in apps]] |= bit
    assert len(groups) == len(APPS)
    return groups


def _port_groups() -> NDArray[np.uint8]:
    groups = np.zeros(1 << 16, np.uint8)
    for bit, ports in _PORT_GROUPS:
        groups[list(ports)] |= bit
    return groups


def _protocol_groups() -> NDArray[np.uint8]:
    groups = np.full(256, kernels.IS_UNSPOKEN, np.uint8)
    groups[list(_SPOKEN)] = 0
    groups[[6, 17, 132]] |= kernels.HAS_PORTS
    return groups


_OF_PORT: Final = _port_groups()
_OF_PROTOCOL: Final = _protocol_groups()


@dataclass(frozen=True)
class Sifted:
    """The bits of `sift_kernels` of each flow of a window (u4), and all that any of them has."""

    whose: NDArray[np.uint32]
    every: int

    def rows(self, bits: int) -> NDArray[np.int64]:
        """The rows with any of these bits, in order."""
        if not self.every & bits:
            return _NONE
        found: NDArray[np.int64] = (self.whose & np.uint32(bits)).nonzero()[0]
        return found


_NONE: Final = np.zeros(0, np.int64)


def sift(window: Window) -> Sifted:
    """Ask it as `window.once(sift)`."""
    whose = np.empty(len(window.flows), np.uint32)
    every = kernels.sift_flows(
        window.flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, window.marks,
        window.hosts.kinds, _app_groups(), _OF_PORT, _OF_PROTOCOL, whose,
    )  # fmt: skip
    return Sifted(whose, int(every))
