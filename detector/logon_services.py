"""Services that ask for a password, and what a session looks like in which none was right."""

from __future__ import annotations

from typing import Final

#: (service, most reply bytes of a session in which only a logon failed, how many times as many
#: sessions it takes as with people's services). Programs log on to the last ones by themselves.
LOGON_SERVICES: Final = (
    ("ssh", 9000, 1), ("rdp", 12_000, 1), ("vnc", 4000, 1), ("telnet", 3000, 1), ("winrm", 9000, 1),
    ("ftp", 3000, 3), ("imap", 6000, 3), ("pop3", 3000, 3), ("smtp", 3000, 5),
    ("mssql", 4000, 10), ("mysql", 2000, 10), ("postgres", 2000, 10),
)  # fmt: skip
LOGON_APPS: Final = tuple(app for app, _, _ in LOGON_SERVICES)
