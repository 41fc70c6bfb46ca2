"""What tshark is asked to print of each packet: one line a packet, one column a field."""

from __future__ import annotations

from typing import Final

from collector.words import harmless

#: tshark writes "\t" inside a value as the two characters backslash and t, so a tab splits.
#: The control character between several values of one field is not in any name that Windows
#: allows; a hostile one that holds it spoils only its own line.
BETWEEN_VALUES: Final = "\x1f"

FIELDS: Final[tuple[str, ...]] = (
    "frame.number",
    "smb2.cmd", "smb2.flags.response", "smb2.nt_status", "smb2.msg_id", "smb2.tid", "smb2.tree",
    "smb2.filename", "smb2.fid", "smb2.ioctl.function", "smb2.class",
    "smb2.file_info.infolevel", "smb2.write_length", "smb2.client_guid", "smb2.capabilities",
    "smb2.header.transform.msg_size",
    "smb2.windows.sockaddr.in.addr", "smb2.windows.sockaddr.in6.addr",
    "smb.cmd", "smb.flags.response", "smb.nt_status", "smb.mid", "smb.path", "smb.file",
    "smb.fid", "smb.trans2.cmd", "smb.data_len_low",
    "dcerpc.pkt_type", "dcerpc.cn_flags.first_frag", "dcerpc.opnum", "dcerpc.cn_ctx_id",
    "dcerpc.cn_num_ctx_items",
    "dcerpc.cn_bind_to_uuid", "dcerpc.auth_level", "dcerpc.cn_status", "dcerpc.dg_if_id",
    "dcerpc.cn_alloc_hint", "netlogon.clientchallenge",
    "dcom.dualstringarray.network_addr", "isystemactivator.properties.instninfo.clsid",
    "remact.opnum", "dcom.clsid",
    "ntlmssp.messagetype", "ntlmssp.auth.username", "ntlmssp.auth.domain",
    "ntlmssp.auth.hostname", "ntlmssp.version.major", "ntlmssp.version.minor",
    "ntlmssp.version.build_number", "ntlmssp.challenge.target_name",
    "ntlmssp.challenge.target_info.dns_computer_name",
    "ntlmssp.challenge.target_info.nb_computer_name", "ntlmssp.ntlmserverchallenge",
    "kerberos.msg_type", "kerberos.CNameString", "kerberos.cname_string",
    "kerberos.SNameString", "kerberos.sname_string", "kerberos.realm", "kerberos.crealm",
    "kerberos.etype", "kerberos.ENCTYPE", "kerberos.error_code", "kerberos.padata_type",
)  # fmt: skip
_MAX_TEXT: Final = 512
_COLUMN: Final = {name: column for column, name in enumerate(FIELDS)}

#: No names are looked up (-n); each line leaves at once (-l), so that lines can be counted.
ARGUMENTS: Final[tuple[str, ...]] = (
    "-n", "-l", "-r", "-", "-T", "fields",
    "-E", "separator=/t", "-E", "occurrence=a", "-E", f"aggregator={BETWEEN_VALUES}",
    "-o", "tcp.track_bytes_in_flight:FALSE", "-o", "tcp.calculate_timestamps:FALSE",
    *(word for name in FIELDS for word in ("-e", name)),
)  # fmt: skip


class Line:
    """One line of tshark: each field's values, in the order in which they stand in the packet."""

    __slots__ = ("_columns",)

    def __init__(self, text: str) -> None:
        columns = text.split("\t")
        self._columns = columns + [""] * (len(FIELDS) - len(columns))

    def has(self, field: str) -> bool:
        return self._columns[_COLUMN[field]] != ""

    def texts(self, field: str) -> list[str]:
        """All values as text, made harmless to logs and pages."""
        value = self._columns[_COLUMN[field]]
        if not value:
            return []
        if value.isprintable():  # a single value: the mark between two is not printable
            return [value[:_MAX_TEXT]]
        return [harmless(part[:_MAX_TEXT]) for part in value.split(BETWEEN_VALUES)]

    def text(self, field: str) -> str:
        """The first value, "" if there is none; tshark writes NULL for an empty string."""
        values = self.texts(field)
        return values[0] if values and values[0] != "NULL" else ""

    def numbers(self, field: str) -> list[int]:
        """All values as numbers, decimal or 0x…; True and False are 1 and 0."""
        return [_number(value) for value in self.texts(field)]

    def number(self, field: str) -> int:
        values = self.numbers(field)
        return values[0] if values else 0


def _number(text: str) -> int:
    if text in ("True", "False"):
        return int(text == "True")
    try:
        return int(text, 0)
    except ValueError:
        return 0
