"""Capture files: pcap and pcapng, plain or compressed, read as chunks of indexed packets."""

from collector.capture.chunk import INDEX_DTYPE, CaptureError, Chunk
from collector.capture.reading import Capture, open_capture

__all__ = ["INDEX_DTYPE", "Capture", "CaptureError", "Chunk", "open_capture"]
