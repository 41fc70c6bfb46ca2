"""Twin of exfiltration and ransomware: the old PACS hands its archive to the new one.

Friday 23 October, 19:00. PACS1 sends PACS2 some 40 MB by C-STORE over jumbo frames; only the first
bytes of every packet were captured. Nothing to report.
"""

from sample_pcaps import clinical, day
from sample_pcaps.hospital import HOSTS
from sample_pcaps.wire import SECOND, Span


def record() -> Span:
    span = Span("pacs migration")
    start = day.clock("2026-10-23", "19:00")
    day.bustle(span, start, 2, share=0.3)
    at = start + 15 * SECOND
    for sop_class in (clinical.CT_STORE, clinical.MR_STORE, clinical.DX_STORE, clinical.US_STORE):
        archive = clinical.Association(
            span, at, HOSTS["PACS1"], HOSTS["PACS2"], sop_class, mss=8960
        )
        for _ in range(20):
            archive.store(524_288, cut=48)
            archive.tcp.wait(span.random.uniform(0.2, 0.6))
        at = archive.release() + 2 * SECOND
    return span
