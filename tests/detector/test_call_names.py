"""Tools are told by the names of the pipes and files they leave; users' files are not."""

from __future__ import annotations

import pytest

from detector.lateral.calls import tool_of
from detector.lateral.rpc_rules import EVENTLOG, NETDFS, RULE_OF, SVCCTL


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("PSEXESVC.exe", "PsExec family"),
        ("PSEXESVC-ADMIN-PC-4242-stdin", "PsExec family"),
        ("backupagent-WS1-4242-stderr", "PsExec family"),
        ("msagent_1f", "Cobalt Strike"),
        ("MSSE-1234-server", "Cobalt Strike"),
        ("postex_ssh_09ab", "Cobalt Strike"),
        (r"share\status_7a", "Cobalt Strike"),
        ("status_2026-11.xlsx", ""),
        (r"reports\status_board.docx", ""),
        ("status_", ""),
        ("postex_plan.pptx", ""),
        ("2026-11-23-stdin.txt", ""),
    ],
)
def test_a_name_tells_its_tool(name: str, tool: str) -> None:
    assert tool_of(name) == tool


@pytest.mark.parametrize(
    ("interface", "operation", "variant"),
    [(NETDFS, 23, "coercion"), (EVENTLOG, 16, "coercion"), (SVCCTL, 36, "service")],
)
def test_the_other_form_of_a_call_is_the_same(interface: str, operation: int, variant: str) -> None:
    assert RULE_OF[interface, operation].variant == variant
