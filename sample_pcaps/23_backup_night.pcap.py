"""Twin of ransomware: the nightly backup reads many files fast and writes its catalogue.

Monday 26 October, 23:00. BACKUP reads sixty documents of the file server in half a minute; the file
server's snapshot job writes its archive to BACKUP. Nothing to report.
"""

from sample_pcaps import day
from sample_pcaps.hospital import HOSTS
from sample_pcaps.smb2 import Smb2
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import SECOND, Span


def record() -> Span:
    span = Span("backup night")
    start = day.clock("2026-10-26", "23:00")
    day.bustle(span, start, 2, share=0.15)
    backup, files = HOSTS["BACKUP"], HOSTS["FS1"]
    smb = Smb2(Tcp(span, backup, files, 445, start + 10 * SECOND).open()).log_on("svc-backup")
    smb.tree("IPC$")
    smb.tree("部門共有")
    for number in range(60):
        day.read_whole(smb, f"看護部\\記録{number:02}.docx", 20_000)
        smb.tcp.wait(span.random.uniform(0.1, 0.6))
    smb.log_off()
    store = Smb2(Tcp(span, files, backup, 445, start + 60 * SECOND).open()).log_on("svc-backup")
    store.tree("IPC$")
    store.tree("BACKUP")
    archive = store.create("FS1\\20261026.vhdx", disposition=5, access=0x0012019F)
    for block in range(12):
        store.write(archive, span.random.randbytes(65_536), block * 65_536, cut=120)
        store.tcp.wait(0.2)
    store.close(archive)
    store.log_off()
    return span
