"""Flow logs of other programs: Zeek's conn.log and Argus' binetflow."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.apps import APPS
from collector.capture import CaptureError
from collector.flows import STATES, FlowBatch, address_text
from collector.foreign.opening import is_log
from collector.foreign.reading import FlowLog
from collector.replay import Replay
from collector.settings import CollectorSettings

ZEEK = (
    b"#separator \\x09\n#path\tconn\n"
    b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration"
    b"\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts"
    b"\tresp_ip_bytes\torig_l2_addr\n"
    b"#types\ttime\n"
    b"1713484802.146761\tC1\t10.0.0.5\t52598\t10.0.0.9\t445\ttcp\tgssapi,smb,ntlm\t2.5\t900\t400"
    b"\tSF\tShADadFf\t9\t1300\t8\t760\t00:0b:ab:40:00:21\n"
    b"1713484800.000001\tC2\tfe80::1\t133\tff02::2\t134\ticmp\t-\t-\t-\t-\tOTH\t-\t1\t56\t0\t0\t-\n"
    b"#close\t2024-04-19-00-00-01\n"
)
ARGUS = (
    b"StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,"
    b"SrcBytes,Label\n"
    b"2018/12/18 14:00:00.527012,0.699716,tcp,10.0.0.7,52798,   ->,10.0.0.8,3389,S_RA,0,0,2,134,"
    b"74,flow=x\n"
    b"2018/12/18 14:00:01.000000,0.1,arp,10.0.0.7,0,who,10.0.0.8,0,INT,0,0,1,60,60,\n"
)


def read(folder: Path, name: str, text: bytes) -> tuple[FlowBatch, FlowLog]:
    path = folder / name
    path.write_bytes(text)
    log = FlowLog(path)
    return FlowBatch.join(list(log.read())), log


def test_zeek(tmp_path: Path) -> None:
    flows, log = read(tmp_path, "conn.log", ZEEK)
    assert len(flows) == 2 and sum(log.malformed.values()) == 0
    icmp, smb = 0, 1  # in the order in which they ended
    assert flows.protocol[icmp] == 58 and flows.family[icmp] == 6
    assert APPS[flows.app[smb]] == "smb" and STATES[flows.state[smb]] == "SF"
    assert address_text(*flows.source[smb]) == "10.0.0.5"
    assert int(flows.first_ns[smb]) == 1_713_484_802_146_761_000
    assert int(flows.last_ns[smb] - flows.first_ns[smb]) == 2_500_000_000
    assert (flows.bytes[smb], flows.reply_packets[smb]) == (1300, 8)
    assert flows.flags[smb] == 2 | 16 | 8 | 1 and flows.source_mac[smb] == 0x000BAB400021


def test_zeek_packed_and_as_json(tmp_path: Path) -> None:
    packed, _ = read(tmp_path, "conn.log.gz", gzip.compress(ZEEK))
    assert len(packed) == 2
    line = (
        b'{"ts":79.681977,"id.orig_h":"10.0.2.15","id.orig_p":546,"id.resp_h":"10.1.1.1",'
        b'"id.resp_p":3389,"proto":"tcp","duration":63.0,"conn_state":"REJ","orig_pkts":7,'
        b'"orig_ip_bytes":924,"resp_pkts":0,"resp_ip_bytes":0}\n'
    )
    flows, log = read(tmp_path, "c.json", line + b"{broken\n" + line)
    assert len(flows) == 2 and log.malformed["flow log: line that is no JSON object"] == 1
    assert APPS[flows.app[0]] == "rdp" and flows.app_confidence[0] == 40  # by port


def test_argus(tmp_path: Path) -> None:
    flows, log = read(tmp_path, "a.binetflow", ARGUS)
    assert len(flows) == 1 and log.malformed["argus: line that is no IP flow"] == 1
    assert STATES[flows.state[0]] == "REJ" and APPS[flows.app[0]] == "rdp"
    assert (flows.packets[0], flows.bytes[0], flows.reply_bytes[0]) == (1, 60, 46)
    assert int(flows.first_ns[0]) == 1_545_141_600_527_012_000


def test_replay_takes_a_log(tmp_path: Path) -> None:
    (tmp_path / "conn.log").write_bytes(ZEEK)
    replay = Replay(CollectorSettings())
    seen = [len(o.flows) for o in replay.read([tmp_path / "conn.log"])]
    assert sum(seen) == 2 and replay.faults == []


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"#separator \\x09\n#fields\tts\tquery\n")
    assert not is_log(tmp_path / "x.log")
    with pytest.raises(CaptureError, match=r"no conn\.log"):
        list(FlowLog(tmp_path / "x.log").read())


@given(st.binary(max_size=400), st.integers(0, len(ZEEK)), st.booleans())
def test_no_bytes_crash_it(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, argus: bool
) -> None:
    text = ARGUS if argus else ZEEK
    path = tmp_path_factory.mktemp("log") / "conn.log"
    path.write_bytes(text[:at] + noise + text[at:])
    try:
        for flows in FlowLog(path).read():
            assert (flows.reported_ns[1:] >= flows.reported_ns[:-1]).all()
    except CaptureError:
        pass


def test_real_logs(captures: Path) -> None:
    """Every labelled log is read whole."""
    for path in sorted((captures / "labelled-flows").iterdir()):
        log = FlowLog(path)
        assert sum(len(flows) for flows in log.read()) > 0
        assert sum(log.malformed.values()) <= 4, (path, log.malformed)
