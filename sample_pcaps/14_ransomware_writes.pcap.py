"""A ward terminal encrypts a share.

Tuesday 20 October, 11:05. EMR-3W-02 reads forty documents on the file server, overwrites each with
bytes that look random, gives it a new extension, and leaves a note in every folder, all within a
minute. Then it sends the note to every printer, as at Handa in 2021.
"""

from sample_pcaps import day, office
from sample_pcaps.hospital import HOSTS, PRINTERS, Host
from sample_pcaps.smb2 import Smb2
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import SECOND, Span

FOLDERS = ("栄養", "検査", "薬剤", "看護部", "地域連携", "医事")
NOTE = "RESTORE-MY-FILES.txt"
WANTED = b"This is a sample. No file was harmed and nobody wants money.\r\n" * 8


def record() -> Span:
    span = Span("ransomware writes")
    start = day.clock("2026-10-20", "11:05")
    day.bustle(span, start, 3, share=0.4)
    terminal = HOSTS["EMR-3W-02"]
    encrypt(span, start + 60 * SECOND, terminal)
    for index, printer in enumerate(PRINTERS):
        at = start + 120 * SECOND + index * 2 * SECOND
        office.print_page(span, at, terminal, printer, 600)
    return span


def encrypt(span: Span, at: int, terminal: Host) -> None:
    """Forty files in six folders, about one a second."""
    smb = Smb2(Tcp(span, terminal, HOSTS["FS1"], 445, at).open()).log_on(day.user_of(terminal))
    smb.tree("IPC$")
    smb.tree("部門共有")
    for number in range(40):
        folder = FOLDERS[number % len(FOLDERS)]
        if number < len(FOLDERS):
            folder_id = smb.create(folder, directory=True)
            smb.list(folder_id, [".", "..", *(f"記録{i:02}.docx" for i in range(7))])
            smb.close(folder_id)
            note = smb.create(f"{folder}\\{NOTE}", disposition=2, access=0x0012019F)
            smb.write(note, WANTED)
            smb.close(note)
        name = f"{folder}\\記録{number // len(FOLDERS):02}.docx"
        plain = ("患者様向け食事案内 架空の文書です。\r\n" * 50).encode("utf-16-le")
        file_id = smb.create(name, access=0x0013019F, size=len(plain))
        smb.read(file_id, plain)
        smb.write(file_id, span.random.randbytes(len(plain)))
        smb.rename(file_id, f"{name}.lockd")
        smb.close(file_id)
        smb.tcp.wait(span.random.uniform(0.3, 0.9))
    smb.log_off()
