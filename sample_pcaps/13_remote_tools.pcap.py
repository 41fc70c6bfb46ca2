"""AnyDesk and WireGuard leave the building without a register entry.

Monday 19 October, 15:30. The nutrition department's server holds an AnyDesk session over a relay;
an EMR terminal of the out-patient department keeps a WireGuard tunnel.
"""

from sample_pcaps import day, names, remote, tunnels
from sample_pcaps.hospital import ANYDESK_RELAY, HOSTS, TERMINALS, WIREGUARD_PEER
from sample_pcaps.wire import SECOND, Span

RELAY = "relay-5d2e81a7.net.anydesk.com"


def record() -> Span:
    span = Span("remote tools")
    start = day.clock("2026-10-19", "15:30")
    day.bustle(span, start, 4, share=0.4)
    server, terminal = HOSTS["NUTRI-SV"], TERMINALS[-1]
    remote.anydesk_search(span, start + 15 * SECOND, server)
    at = names.ask(span, start + 20 * SECOND, server, "boot.net.anydesk.com", ANYDESK_RELAY.ip)
    at = names.ask(span, at, server, RELAY, ANYDESK_RELAY.ip)
    remote.anydesk(span, at, server, ANYDESK_RELAY, RELAY, 150)
    tunnels.wireguard(span, start + 30 * SECOND, terminal, WIREGUARD_PEER, 180)
    return span
