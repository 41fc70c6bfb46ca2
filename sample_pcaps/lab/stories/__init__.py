"""Every story of the lab, one file each, listed in one tuple."""

from sample_pcaps.lab.stories import (
    clinic,
    control,
    directory,
    files,
    ipsec,
    scans,
    secure_shell,
    spoofing,
    tunnels,
    uplinks,
    vpn,
)
from sample_pcaps.lab.story import Story

STORIES: tuple[Story, ...] = (
    *vpn.STORIES,
    *ipsec.STORIES,
    *tunnels.STORIES,
    *secure_shell.STORIES,
    *uplinks.STORIES,
    *scans.STORIES,
    *directory.STORIES,
    *files.STORIES,
    *spoofing.STORIES,
    *control.STORIES,
    *clinic.STORIES,
)
