"""Which captures a command is given: files as named, folders by what is in them."""

from collections.abc import Sequence
from pathlib import Path

from collector.capture.chunk import CaptureError
from collector.capture.reading import open_capture

_CAPTURE_SUFFIXES = (
    ".pcap",
    ".pcapng",
    ".cap",
    ".gz",
    ".zst",
    ".dmp",
    ".log",
    ".binetflow",
    ".json",
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


def _is_input(path: Path) -> bool:
    if path.suffix == ".json":
        from collector.foreign.opening import is_log

        return is_log(path)
    return path.suffix in _CAPTURE_SUFFIXES


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
