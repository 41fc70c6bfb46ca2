"""Which captures a command is given: files as named, folders by what is in them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from collector.capture.chunk import CaptureError
from collector.capture.reading import open_capture

#: dump.pcap, and dump.pcap1, dump.pcap2 … as `tcpdump -C` goes on; packed or not.
_CAPTURE_NAME: Final = re.compile(
    r"\.((pcap|pcapng|cap|dmp)\d*|gz|zst|log|binetflow|json)$", re.IGNORECASE
)


def find_captures(paths: Sequence[Path]) -> list[Path]:
    """Replace folders by the captures in them, in the order of their first packet's time."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if _is_input(p)]
            found += sorted(inside, key=_first_time)
        else:
            found.append(path)
    return found


def holds_captures(folder: Path) -> bool:
    """Whether a folder has any file that `find_captures` would take."""
    return any(_is_input(path) for path in folder.iterdir())


def _is_input(path: Path) -> bool:
    if not _CAPTURE_NAME.search(path.name) or path.is_fifo() or path.is_dir():
        return False
    if path.suffix.lower() == ".json":
        from collector.foreign.opening import is_log

        return is_log(path)
    return True


def _first_time(path: Path) -> int:
    """Time of the first packet; 0 where there is none or the file cannot be read."""
    try:
        with open_capture(path) as capture:
            for chunk in capture:
                if len(chunk):
                    return int(chunk.index["time_ns"][0])
    except CaptureError:
        return 0
    return 0
