"""What is sifted out of a window: the kernel says what the columns say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import STATE_CODE, FlowBatch
from detector import sift as groups
from detector import sift_kernels as kernels
from detector.detection import Window
from detector.edges import ADMIN_APPS
from detector.hospital import Hospital
from detector.lines.tools import IS_SESSION, IS_TOOL
from detector.logon_services import LOGON_APPS
from detector.sift import sift
from detector.window_kernels import (
    FAILED,
    HALF_OPEN,
    INSIDE,
    LOOPBACK,
    MOST_PROBES,
    OURS,
    PUBLIC,
    SHARING,
    SPECIAL,
    THEIRS,
    TO_ONE,
    WINRM,
)
from tests.detector.test_window_marks import PLAN, some_flows
from tests.detector.windows import World, flow

Mask = NDArray[np.bool_]


def some_window(seed: int, has_plan: bool) -> Window:
    rows = some_flows(seed, 400)[0]
    rng = np.random.default_rng(seed)
    told = [APP_CODE[a] for a in (*LOGON_APPS, "smb", "ldap", "printer", "http", "oracle")]
    rows["app"] = np.where(rng.random(400) < 0.7, rng.choice(told, 400), rows["app"])
    ports = [22, 123, 389, 443, 515, 5985, 8530, 8443, 9100]
    rows["destination_port"] = rng.choice(ports, 400)
    rows["reply_packets"] = rng.integers(0, 9, 400)
    rows["reply_bytes"] = rng.integers(0, 2000, 400)
    rows["bytes"] = rng.integers(0, 2000, 400)
    return World(PLAN if has_plan else Hospital()).window([rows])


@given(st.integers(0, 1 << 30), st.booleans())
def test_bits_are_what_the_columns_say(seed: int, has_plan: bool) -> None:
    window = some_window(seed, has_plan)
    sifted = sift(window)
    for bit, expected in _by_columns(window).items():
        assert ((sifted.whose & bit != 0) == expected).all(), bit
        assert (sifted.rows(bit) == np.flatnonzero(expected)).all()
    assert sifted.every == int(np.bitwise_or.reduce(sifted.whose))


def _by_columns(window: Window) -> dict[int, Mask]:
    flows, marks, kinds = window.flows, window.marks, window.hosts.kinds
    near, far = kinds[window.source], kinds[window.destination]
    ours, theirs, single = (marks & bit != 0 for bit in (OURS, THEIRS, TO_ONE))
    answered, tcp, outcome = flows.reply_packets > 0, flows.protocol == 6, marks & 3
    port = flows.destination_port
    to_inside = far & INSIDE != 0
    ratio = flows.reply_bytes / np.maximum(flows.bytes.astype(float), 1)
    vain = _in_vain(flows, outcome)
    control = _is(flows, groups.CONTROL_APPS)
    ours_only = ours & ~theirs
    transport = tcp | (flows.protocol == 17)
    everyday = np.isin(port, groups.BLOCKED_EVERYDAY)
    return {
        kernels.FOREIGN: (near & SHARING != 0) | (near & (INSIDE | SPECIAL | LOOPBACK) == 0),
        kernels.TIMED: (port == 123) & answered & to_inside,
        kernels.UPDATED: np.isin(port, (8530, 8531)) & answered,
        kernels.CONTROLS: control & answered & to_inside,
        kernels.CALLED_IN: (near & PUBLIC != 0) & to_inside & answered,
        kernels.ODD_LDAP: _is(flows, ("ldap",)) & ~np.isin(port, groups.DIRECTORY_PORTS)
        & tcp & answered & (flows.part == 0),
        kernels.ADMIN: _administers(flows, marks) & single & (theirs | ~ours),
        kernels.LOGON: _logs_on(flows) & (ours | theirs),
        kernels.CROSSES: _crosses(flows, near, far),
        kernels.DATABASE: _is(flows, groups.DATABASE_APPS) & ours & theirs,
        kernels.SESSION: control & answered & (flows.one_way == 0) & ours & theirs & single,
        kernels.PRINTS: (_is(flows, ("printer",)) | np.isin(port, groups.PRINTER_PORTS))
        & tcp & answered,
        kernels.CONSOLE: np.isin(port, groups.CONSOLE_PORTS) & tcp & answered
        & (flows.reply_bytes > 1000),
        kernels.IN_VAIN: vain,
        kernels.TRIES: (ours | theirs) & single & ((tcp & (outcome > 0)) | vain),
        kernels.MEETS: theirs & single & ((outcome == FAILED) | answered),
        kernels.GOES_OUT: ours_only & single & (outcome > 0) & transport & ~everyday,
        kernels.REWRITES: _is(flows, ("smb",)) & ours & theirs & answered
        & (ratio >= 0.7) & (ratio <= 1.4),
        kernels.TOOL: _is_line(flows, near, far),
    }  # fmt: skip


def _is(flows: FlowBatch, apps: tuple[str, ...]) -> Mask:
    return np.isin(flows.app, [APP_CODE[app] for app in apps])


def _in_vain(flows: FlowBatch, outcome: NDArray[np.uint32]) -> Mask:
    has_ports = np.isin(flows.protocol, (6, 17, 132))
    lonely = (flows.reply_packets == 0) & (flows.packets <= MOST_PROBES) & (flows.one_way == 0)
    nobodys = ~np.isin(flows.protocol, (6, 1, 58, 47, 132))  # of those that `some_flows` makes
    found: Mask = ((outcome == FAILED) & has_ports) | (lonely & nobodys)
    return found


def _administers(flows: FlowBatch, marks: NDArray[np.uint32]) -> Mask:
    by_port = (marks & WINRM != 0) & _is(flows, ("unknown", "http", "tls"))
    silent = [STATE_CODE[s] for s in ("S0", "REJ", "RSTOS0", "SH", "RSTRH", "OTH")]
    talked = ~np.isin(flows.state, silent) & (marks & HALF_OPEN == 0)
    is_admin = _is(flows, ADMIN_APPS) | by_port
    found: Mask = is_admin & talked & (flows.protocol == 6) & (flows.reply_packets > 0)
    return found


def _logs_on(flows: FlowBatch) -> Mask:
    long = ~_is(flows, ("ssh",)) | (flows.reply_bytes >= kernels.SSH_RECEIVED)
    found: Mask = _is(flows, LOGON_APPS) & (flows.reply_packets >= 5) & (flows.part == 0) & long
    return found


def _crosses(flows: FlowBatch, near: NDArray[np.uint8], far: NDArray[np.uint8]) -> Mask:
    crosses = (near & INSIDE != 0) != (far & INSIDE != 0)
    crosses &= ~IS_TOOL[flows.app] & (flows.reply_packets > 0)
    found: Mask = crosses & ((near | far) & (SPECIAL | LOOPBACK) == 0)
    return found


def _is_line(flows: FlowBatch, near: NDArray[np.uint8], far: NDArray[np.uint8]) -> Mask:
    ours = INSIDE | LOOPBACK
    stays = ((near & ours != 0) & (far & ours != 0)) | (far & SPECIAL != 0)
    found: Mask = IS_TOOL[flows.app] & ~(IS_SESSION[flows.app] & stays)
    return found


def test_rows_of_no_such_bits_are_none() -> None:
    window = World(PLAN).window([flow("10.1.0.1", "10.1.0.2", 443, app="tls")])
    assert not len(sift(window).rows(kernels.ADMIN | kernels.PRINTS))
    assert sift(window).rows(kernels.MEETS).tolist() == [0]
