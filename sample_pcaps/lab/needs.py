"""What a story needs of the machine it runs on, and what is missing of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from sample_pcaps.lab.story import Story

#: Programs every story needs, as `program:Debian package`.
ALWAYS = (
    "ip:iproute2", "ss:iproute2", "nsenter:util-linux", "ovs-vswitchd:openvswitch-switch",
    "tcpdump:tcpdump", "softflowd:softflowd", "nft:nftables", "ethtool:ethtool", "sysctl:procps",
)  # fmt: skip


def missing(story: Story) -> list[str]:
    """Why the story cannot run here, one sentence a cause; empty if it can."""
    causes = [] if os.geteuid() == 0 else ["not root: namespaces need it (sudo)"]
    for need in (*ALWAYS, *story.needs):
        program, _, package = need.partition(":")
        if not is_there(program):
            causes.append(f"{program} is not installed (sudo sh deploy/lab.sh, or apt-get install "
                          f"{package or program})")  # fmt: skip
    return causes


def packages(stories: Iterable[Story]) -> list[str]:
    """The Debian packages that bring all programs of these stories."""
    needs = {*ALWAYS, *(need for story in stories for need in story.needs)}
    return sorted({need.partition(":")[2] for need in needs})


def is_there(program: str) -> bool:
    """True if the program is installed; a path is looked up as it is."""
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None
