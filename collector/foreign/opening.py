"""Tells flow logs of other programs from captures, and opens them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import IO, Final

from collector.foreign.zeek_rows import LOGS

#: How a syslog record begins: a priority, a date, or the form's own mark.
_RECORD: Final = re.compile(
    rb"<\d{1,3}>(1 )?[\x20-\x7e]|(CEF|LEEF):\d|date=\d{4}-\d\d-\d\d "
    rb"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* [^,\t]{3}"
)


def is_log(path: Path) -> bool:
    """Whether the first bytes are those of a log that `LogFile` reads."""
    return bool(log_kind(path))


def log_kind(path: Path) -> str:
    """conn, argus, zeek (another of its logs), eve, records (syslog); "" if it is none of them."""
    try:
        with open_log(path) as (_, file):
            head = stripped(file.read(4096))
    except (OSError, EOFError, gzip.BadGzipFile):
        return ""
    if head.startswith(b"#") and b"#fields\t" in head:
        if b"\tconn_state" in head:
            return "conn"
        return "zeek" if zeek_log(path, head) in LOGS else ""
    if head.startswith(b"{"):
        if b'"event_type"' in head and b'"timestamp"' in head:
            return "eve"
        if b'"conn_state"' in head and b'"id.orig_h"' in head:
            return "conn"
        is_zeek = b'"ts"' in head and zeek_log(path) in LOGS
        return "zeek" if is_zeek else ""
    if head.startswith(b"StartTime"):
        return "argus"
    return "records" if _RECORD.match(head) else ""


def zeek_log(path: Path, head: bytes = b"") -> str:
    """Which of Zeek's logs it is: by its head, else by its name.

    dns.log, dns.10:00:00-11:00:00.log.gz, dns_2026-10-14.log, ward-3_dns.log.
    """
    for line in head.splitlines():
        if line.startswith(b"#path\t"):
            return line[6:].decode("ascii", "replace").strip()
    words = re.split(r"[_-]", path.name.partition(".")[0])
    return next((word for word in reversed(words) if word in LOGS), words[0])


def stripped(head: bytes) -> bytes:
    """Without a byte order mark or blanks, which editors and scripts leave at the front."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


class open_log:
    """The raw file (for the position) and the text in it, unpacked if it is gzip."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("rb")

    def __enter__(self) -> tuple[IO[bytes], IO[bytes]]:
        packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        unpacked: IO[bytes] = gzip.GzipFile(fileobj=self._raw) if packed else self._raw  # type: ignore[assignment]
        return self._raw, unpacked

    def __exit__(self, *_: object) -> None:
        self._raw.close()
