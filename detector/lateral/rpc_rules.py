"""Which DCE/RPC operation means what: interface, operation numbers, technique, base score.

Interfaces and numbers are Microsoft's (MS-SCMR, MS-TSCH, MS-DRSR, MS-DCOM, MS-WMI, MS-RRP,
MS-RPRN, MS-PAR, MS-EFSR, MS-DFSNM, MS-FSRVP, MS-EVEN, MS-EVEN6, MS-SAMR, MS-LSAD, MS-LSAT,
MS-NRPC, MS-ICPR, MS-RSP, MS-TSTS); the choice follows MITRE's BZAR: few remote calls have a
harmless everyday use between clients.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from detector.detection import Category

SVCCTL = "367abb81-9844-35f1-ad32-98f038001003"
ATSVC = "1ff70682-0a51-30e8-076d-740be8cee98b"
SASEC = "378e52b0-c0a9-11cf-822d-00aa0051e40f"
TASKS = "86d35949-83c9-4044-b424-db363231fd0c"
DRSUAPI = "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
ACTIVATOR = "000001a0-0000-0000-c000-000000000046"
#: What DCOM was before IRemoteSCMActivator, and what Windows still answers.
OLD_ACTIVATOR = "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57"
WBEM_LOGIN = "f309ad18-d86a-11d0-a075-00c04fb68820"
WBEM_SERVICES = "9556dc99-828c-11cf-a37e-00aa003240c7"
#: Beside them only WMI uses these: the client's name, lists of results, calls under way.
WBEM_OTHERS: Final = (
    "d4781cd6-e5d3-44df-ad94-930efe48a887", "027947e1-d731-11ce-a357-000000000001",
    "1c1c45ee-4395-11d2-b60b-00104b703efd", "423ec01e-2e35-11d2-b604-00104b703efd",
    "44aca675-e8fc-11d0-a07c-00c04fb68820",
)  # fmt: skip
WBEM: Final = frozenset({WBEM_LOGIN, WBEM_SERVICES, *WBEM_OTHERS})
DISPATCH = "00020400-0000-0000-c000-000000000046"
REM_UNKNOWN = "00000131-0000-0000-c000-000000000046"
REM_UNKNOWN2 = "00000143-0000-0000-c000-000000000046"
SAMR = "12345778-1234-abcd-ef00-0123456789ac"
LSARPC = "12345778-1234-abcd-ef00-0123456789ab"
SRVSVC = "4b324fc8-1670-01d3-1278-5a47bf6ee188"
WKSSVC = "6bffd098-a112-3610-9833-46c3f87e345a"
WINREG = "338cd001-2244-31f1-aaaa-900038001003"
SPOOLSS = "12345678-1234-abcd-ef00-0123456789ab"
WINSPOOL = "76f03f96-cdfd-44fc-a22c-64950a001209"
EFSR = "c681d488-d850-11d0-8c52-00c04fd90f7e"
EFSR2 = "df1941c5-fe89-4e79-bf10-463657acf44d"
NETDFS = "4fc742e0-4a10-11cf-8273-00aa004ae673"
FSRVP = "a8e0653c-2744-4389-a61d-7373df8b2292"
NETLOGON = "12345678-1234-abcd-ef00-01234567cffb"
EVENTLOG = "82273fdc-e32a-18c3-3f78-827929dc23ea"
EVENT_SERVICE = "f6beaff7-1e19-4fbb-9f8f-b89e2018337c"
EPM = "e1af8308-5d1f-11c9-91a4-08002b14a0fa"
CERTIFICATES = "91ae6020-9e3c-11cf-8d7c-00aa00c091be"
#: Who is at a terminal server, and since when (MS-TSTS).
SESSIONS = "88143fd0-c28d-4b2b-8fef-8d882f6a9390"
INIT_SHUTDOWN = "894de0c0-0d55-11d3-a322-00c04fa321a1"
WINDOWS_SHUTDOWN = "d95afe70-a6d5-4259-822e-2c84da1ddb0d"

#: Named pipe → interface, for captures that begin after the bind. `lsass`, one pipe for samr,
#: lsarpc and netlogon, tells nothing without it.
PIPES: Final = {
    "svcctl": SVCCTL, "atsvc": ATSVC, "samr": SAMR, "lsarpc": LSARPC, "srvsvc": SRVSVC,
    "wkssvc": WKSSVC, "winreg": WINREG, "spoolss": SPOOLSS, "efsrpc": EFSR2, "netdfs": NETDFS,
    "fssagentrpc": FSRVP, "netlogon": NETLOGON, "eventlog": EVENTLOG, "epmapper": EPM,
    "initshutdown": INIT_SHUTDOWN, "cert": CERTIFICATES, "ntsvcs": SVCCTL, "browser": SRVSVC,
}  # fmt: skip


class Rule(NamedTuple):
    """These operations of this interface mean this."""

    variant: str
    interface: str
    operations: frozenset[int]
    base: float
    techniques: tuple[str, ...]
    category: Category = "lateral_movement"
    executes: bool = False  # runs a program on the target


def _ops(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


_EXEC: Final[Category] = "lateral_movement"
_COERCION = ("T1187", "T1557")
#: Every call of MS-EFSR that takes a file's name, which may be on another server.
_ENCRYPTED_FILES: Final = _ops(0, *range(4, 10), 12, 13, 15, 16, 18, 19, 21, 22)

RULES: Final[tuple[Rule, ...]] = (
    Rule("service", SVCCTL, _ops(12, 24, 44, 45, 60, 11, 23, 36, 37, 19, 31), 70,
         ("T1569.002", "T1021.002", "T1543.003"), _EXEC, executes=True),
    Rule("service_rights", SVCCTL, _ops(5), 65, ("T1543.003", "T1222.001", "T1021.002")),
    Rule("service_stop", SVCCTL, _ops(1, 2, 50, 51), 55, ("T1489", "T1021.002"), "impact"),
    Rule("service_manager", SVCCTL, _ops(15, 27, 64, 14, 26, 41, 42), 30, ("T1007", "T1021.002"),
         "reconnaissance"),
    Rule("task", ATSVC, _ops(0), 70, ("T1053.002", "T1021.002"), _EXEC, executes=True),
    Rule("task", SASEC, _ops(0, 1), 70, ("T1053.005", "T1021.002"), _EXEC, executes=True),
    Rule("task", TASKS, _ops(1, 12, 13, 19), 70, ("T1053.005", "T1021.002"), _EXEC, executes=True),
    Rule("wmi", WBEM_SERVICES, _ops(24, 25), 70, ("T1047", "T1021.003"), _EXEC, executes=True),
    Rule("wmi_subscription", WBEM_SERVICES, _ops(8, 9, 14, 15), 70, ("T1047", "T1546.003"), _EXEC,
         executes=True),
    Rule("wmi_query", WBEM_LOGIN, _ops(5, 6), 55, ("T1047",)),
    Rule("wmi_query", WBEM_SERVICES, _ops(-1, 6, 7, *range(10, 14), *range(16, 24)), 55,
         ("T1047",)),
    *(Rule("wmi_query", interface, _ops(-1), 55, ("T1047",)) for interface in WBEM_OTHERS),
    Rule("dcsync", DRSUAPI, _ops(3), 98, ("T1003.006",), "credential_access"),
    Rule("dcshadow", DRSUAPI, _ops(5, 6, 17), 95, ("T1207",), "credential_access"),
    Rule("sid_history", DRSUAPI, _ops(20), 80, ("T1134.005",), "credential_access"),
    Rule("netsync", NETLOGON, _ops(7, 8, 16, 17, 31, 42, 46), 80, ("T1003",), "credential_access"),
    Rule("lsa_secret", LSARPC, _ops(16, 28, 29, 30, 42, 43), 80, ("T1003.004",),
         "credential_access"),
    Rule("rights", LSARPC, _ops(19, 37), 65, ("T1098",), "credential_access"),
    Rule("hive", WINREG, _ops(20, 31), 85, ("T1003.002",), "credential_access"),
    Rule("registry", WINREG, _ops(6, 7, 8, 13, 18, 19, 21, 22, 35), 55, ("T1112",)),
    Rule("printer_bug", SPOOLSS, _ops(62, 65), 80, _COERCION, "credential_access"),
    Rule("print_nightmare", SPOOLSS, _ops(9, 89), 90, ("T1210", "T1068", "T1547.012")),
    Rule("print_nightmare", WINSPOOL, _ops(39), 90, ("T1210", "T1068", "T1547.012")),
    Rule("coercion", EFSR, _ENCRYPTED_FILES, 90, _COERCION,
         "credential_access"),
    Rule("coercion", EFSR2, _ENCRYPTED_FILES, 90, _COERCION,
         "credential_access"),
    Rule("coercion", NETDFS, _ops(12, 13, 15, 23), 90, _COERCION, "credential_access"),
    Rule("coercion", FSRVP, _ops(8, 9), 90, _COERCION, "credential_access"),
    Rule("coercion", EVENTLOG, _ops(9, 16), 90, _COERCION, "credential_access"),
    Rule("log_clear", EVENTLOG, _ops(0, 12), 85, ("T1070.001",)),
    Rule("log_clear", EVENT_SERVICE, _ops(6), 85, ("T1070.001",)),
    Rule("password_reset", SAMR, _ops(37, 38, 58, 66), 65, ("T1098", "T1531"), "credential_access"),
    Rule("account_create", SAMR, _ops(12, 50), 65, ("T1136.002",), "credential_access"),
    Rule("account_delete", SAMR, _ops(35), 60, ("T1531",), "impact"),
    Rule("group_member", SAMR, _ops(22, 31, 52), 65, ("T1098.007", "T1098"), "credential_access"),
    Rule("certificate", CERTIFICATES, _ops(0), 60, ("T1649",), "credential_access"),
    Rule("shutdown", WINREG, _ops(24, 30), 60, ("T1529",), "impact"),
    Rule("shutdown", INIT_SHUTDOWN, _ops(0, 2), 60, ("T1529",), "impact"),
    Rule("shutdown", WINDOWS_SHUTDOWN, _ops(0, 3), 60, ("T1529",), "impact"),
    Rule("endpoint_map", EPM, _ops(2), 45, ("T1046",), "reconnaissance"),
)  # fmt: skip

#: What people call the interfaces.
CALLED: Final = {
    SVCCTL: "svcctl", ATSVC: "atsvc", TASKS: "ITaskSchedulerService", DRSUAPI: "drsuapi",
    ACTIVATOR: "IRemoteSCMActivator", WBEM_LOGIN: "IWbemLevel1Login", DISPATCH: "IDispatch",
    WBEM_SERVICES: "IWbemServices", WINREG: "winreg", SPOOLSS: "spoolss", SAMR: "samr",
    LSARPC: "lsarpc", NETLOGON: "netlogon", EVENTLOG: "eventlog", EPM: "epm",
    CERTIFICATES: "ICertPassage",
}  # fmt: skip
#: A controller tells its partner that there is news to fetch: DRSReplicaSync (MS-DRSR §4.1.23).
REPLICA_SYNC: Final = 2

RULE_OF: Final[dict[tuple[str, int], Rule]] = {
    (rule.interface, number): rule for rule in RULES for number in rule.operations
}

#: Calls that ask who and what exists; one alone is everyday, several kinds or targets are not.
ENUMERATION: Final[dict[tuple[str, int], str]] = {
    **{(SAMR, n): kind for n, kind in (
        (11, "groups"), (13, "users"), (15, "aliases"), (25, "group members"),
        (33, "alias members"), (40, "user list"), (48, "user list"), (51, "user list"),
        (18, "names of ids"), (17, "ids of names"),
    )},
    (SRVSVC, 12): "sessions", (SRVSVC, 15): "shares", (WKSSVC, 2): "logged-on users",
    (SRVSVC, 8): "connections", (SRVSVC, 9): "open files", (SRVSVC, 36): "shares",
    (SRVSVC, 23): "disks",
    (WINREG, 4): "logged-on users", (SESSIONS, 1): "sessions",
}  # fmt: skip
#: Everyday calls, which say more about what others are for.
ENUMERATION_BESIDE: Final[dict[tuple[str, int], str]] = {
    **{(SAMR, n): "password rules" for n in (8, 44, 46, 56)},
    **{(LSARPC, n): "names of SIDs" for n in (15, 57, 76)},
    **{(LSARPC, n): "rights" for n in (11, 18, 35, 36)},
    (LSARPC, 13): "trusts", (LSARPC, 50): "trusts", (NETLOGON, 36): "trusts",
}  # fmt: skip
#: Whole-domain answers that no ordinary program asks of another host.
SENSITIVE_ENUMERATION: Final = frozenset(
    {(SAMR, 13), (SAMR, 25), (SAMR, 40), (SAMR, 48), (SAMR, 51), (SRVSVC, 12), (WKSSVC, 2),
     (SRVSVC, 9), (WINREG, 4)}
)  # fmt: skip
#: Technique of what was asked for, by interface; whom `BY_KIND` names has one of its own.
ENUMERATION_TECHNIQUES: Final = {
    SAMR: ("T1087.002", "T1069.002"), LSARPC: ("T1087.002", "T1069.002"), SRVSVC: ("T1135",),
    WKSSVC: ("T1033",), WINREG: ("T1033", "T1012"), SESSIONS: ("T1033", "T1049"),
    NETLOGON: ("T1482",),
}  # fmt: skip
BY_KIND: Final = {
    "sessions": ("T1033", "T1049"), "connections": ("T1049",), "password rules": ("T1201",),
    "trusts": ("T1482",),
}  # fmt: skip


def interface_of(uuid: str, pipe: str) -> str:
    """The call's interface: as bound, else as its pipe's name tells; empty if neither says."""
    if uuid:
        return uuid.lower()
    name = pipe.replace("/", "\\").rsplit("\\", 1)[-1].lower()
    return PIPES.get(name, "")
