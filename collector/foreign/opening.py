"""Tells flow logs of other programs from captures, and opens them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO


def is_flow_log(path: Path) -> bool:
    """Whether the first bytes are those of a log that `FlowLog` reads."""
    try:
        with open_log(path) as (_, file):
            head = stripped(file.read(2048))
    except (OSError, EOFError, gzip.BadGzipFile):
        return False
    is_zeek = head.startswith(b"#") and b"#fields\t" in head and b"\tconn_state" in head
    is_json = head.startswith(b"{") and b'"conn_state"' in head and b'"id.orig_h"' in head
    return is_zeek or is_json or head.startswith(b"StartTime")


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
