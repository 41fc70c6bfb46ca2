"""Records dcmtk asking an Orthanc in a network namespace: each PDU's head is a segment of its own.

Run as root: `python sample_pcaps/lab/stories/dcmtk_orthanc.pcap.py`, with Debian's orthanc, dcmtk,
tcpdump and iproute2. It makes the namespace `dcmtk-orthanc`, writes `dcmtk_orthanc.pcap` beside
itself, and removes the namespace. The patient is invented.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_HERE = Path(__file__)
_SPACE = "dcmtk-orthanc"
_STUDY = "1.2.826.0.1.3680043.10.1337.1"
_DUMP = f"""
(0002,0010) UI =LittleEndianExplicit
(0008,0016) UI [1.2.840.10008.5.1.4.1.1.7]
(0008,0018) UI [{_STUDY}.3]
(0008,0060) CS [CT]
(0010,0010) PN [KAKUU^KANJA]
(0010,0020) LO [K0001]
(0020,000d) UI [{_STUDY}]
(0020,000e) UI [{_STUDY}.2]
"""


def main() -> None:
    """Enter a namespace of our own, then record."""
    if len(sys.argv) > 1:
        record(Path(sys.argv[1]))
        return
    subprocess.run(["ip", "netns", "add", _SPACE], check=True)
    try:
        subprocess.run(["ip", "-n", _SPACE, "link", "set", "lo", "up"], check=True)
        with tempfile.TemporaryDirectory() as folder:
            inside = ["ip", "netns", "exec", _SPACE, sys.executable, str(_HERE), folder]
            subprocess.run(inside, check=True, timeout=120)
    finally:
        subprocess.run(["ip", "netns", "delete", _SPACE], check=True)


def record(folder: Path) -> None:
    """An echo, a store, three queries and two retrievals while tcpdump listens."""
    os.chdir(folder)
    archive = {
        "Name": "PACS", "StorageDirectory": "store", "IndexDirectory": "store",
        "DicomAet": "PACS", "DicomPort": 4242, "HttpServerEnabled": False, "Plugins": [],
        "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomCheckCalledAet": False,
        "DicomModalities": {"VIEWER": ["VIEWER", "127.0.0.3", 4243]},
    }  # fmt: skip
    Path("orthanc.json").write_text(json.dumps(archive), encoding="utf-8")
    Path("image.dump").write_text(_DUMP, encoding="utf-8")
    subprocess.run(["dump2dcm", "image.dump", "image.dcm"], check=True)
    pcap = _HERE.with_name(_HERE.name.removesuffix(".py")).absolute()
    servers = [
        subprocess.Popen(["Orthanc", "orthanc.json"], stdout=-3, stderr=-3),
        subprocess.Popen(["storescp", "-aet", "VIEWER", "4243"]),
    ]
    _wait(4242, 4243)
    servers.append(
        subprocess.Popen(["tcpdump", "-q", "-U", "-n", "-i", "lo", "-w", str(pcap), "tcp"])
    )
    time.sleep(1)
    titles = ["-aet", "VIEWER", "-aec", "PACS", "127.0.0.1", "4242"]
    level = ["-k", "QueryRetrieveLevel=STUDY"]
    move = ["movescu", "-S", "-aem", "VIEWER", *level, "-k", f"StudyInstanceUID={_STUDY}"]
    subprocess.run(["echoscu", *titles], check=True)
    subprocess.run(["storescu", *titles, "image.dcm"], check=True)
    for key in ("PatientName=*", "PatientID", "StudyDate"):
        subprocess.run(["findscu", "-S", *level, "-k", key, *titles], check=True, stdout=-3)
    for _ in range(2):
        subprocess.run([*move, *titles], check=True)
    time.sleep(1)
    for server in reversed(servers):
        server.terminate()
        server.wait(timeout=20)


def _wait(*ports: int) -> None:
    for port in ports:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)


if __name__ == "__main__":
    main()
