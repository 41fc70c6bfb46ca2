"""Which class of object a DCOM activation asks for, and what that tells (MS-DCOM §3.1.2.5.2.3).

Class ids are those that Microsoft's products register; a name stands here once its class was seen
in lateral movement, or where everyday work activates it on another host.
"""

from __future__ import annotations

from typing import Final

from detector.lateral.rpc_rules import ACTIVATOR, DISPATCH, OLD_ACTIVATOR, RULE_OF, WBEM_LOGIN, Rule

DCOM: Final = Rule(
    "dcom", DISPATCH, frozenset({6}), 60, ("T1021.003",), "lateral_movement", executes=True
)
ACTIVATIONS: Final = frozenset({(ACTIVATOR, 3), (ACTIVATOR, 4), (OLD_ACTIVATOR, 0)})
#: Whose class is sealed or not known here.
ACTIVATION: Final = DCOM._replace(interface=ACTIVATOR, operations=frozenset({3, 4}), base=50)
_RUNNING: Final = ACTIVATION._replace(base=70)

_OLE: Final = "-0000-0000-c000-000000000046"

#: Objects that run a program, a script or a library for whoever activates them.
RUNNING_CLASSES: Final = {
    "49b2791a-b1ae-4c90-9b8e-e860ba07f889": "MMC20.Application",
    "9ba05972-f6a8-11cf-a442-00a0c90a8f39": "ShellWindows",
    "c08afd90-f2a1-11d1-8455-00a0c91f3880": "ShellBrowserWindow",
    f"00024500{_OLE}": "Excel.Application",
    f"0006f03a{_OLE}": "Outlook.Application",
    f"0006f033{_OLE}": "Outlook.Application",
    f"000209ff{_OLE}": "Word.Application",
    f"00021a20{_OLE}": "Visio.Application",
    "91493441-5a91-11cf-8700-00aa0060263b": "PowerPoint.Application",
    "73a4c9c1-d68d-11d0-98bf-00a0c90dc8d9": "Access.Application",
    f"0002df01{_OLE}": "InternetExplorer.Application",
    "d5e8041d-920f-45e9-b8fb-b1deb82c6e5e": "InternetExplorer.Application (medium)",
    "3050f4d8-98b5-11cf-bb82-00aa00bdce0b": "htafile",
    "13709620-c279-11ce-a49e-444553540000": "Shell.Application",
    "72c24dd5-d70a-438b-8a42-98424b88afb8": "WScript.Shell",
    "06622d85-6856-4460-8de1-a81921b41c4b": "COpenControlPanel",
    "000c101c-0000-0000-c000-000000000046": "MSI server",
}
#: WMI's own door: what follows is told as WMI.
WMI_CLASSES: Final = {
    "8bc3f05e-d86b-11d0-a075-00c04fb68820": "WbemLevel1Login",
    "4590f811-1d3a-11d0-891f-00aa004b2e24": "WbemLocator",
    "674b6698-ee92-11d0-ad71-00c04fd8fdff": "WbemContext",
}
#: What every member of a domain does by itself: it renews its certificates.
EVERYDAY_CLASSES: Final = {
    "d99e6e74-fc88-11d0-b498-00a0c90312f3": "CertRequest",
}
CLASS_NAMES: Final = {**RUNNING_CLASSES, **WMI_CLASSES, **EVERYDAY_CLASSES}


def rule_of_class(object_class: str, is_wmi: bool) -> Rule | None:
    """What an activation tells by its class; `is_wmi`: the client is known to speak WMI there."""
    if object_class in RUNNING_CLASSES:
        return _RUNNING
    if is_wmi or object_class in EVERYDAY_CLASSES:
        return None
    return RULE_OF[WBEM_LOGIN, 6] if object_class in WMI_CLASSES else ACTIVATION
