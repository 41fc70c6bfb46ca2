"""Applications as people read them."""

import re

from collector.apps import APPS, app_name


def test_every_application_reads_as_its_maker_writes_it() -> None:
    names = {app: app_name(app) for app in APPS}
    assert names["anydesk"] == "AnyDesk"
    assert names["rdp"] == "RDP"
    assert len(set(names.values())) == len(APPS)
    shouted = [app for app, name in names.items() if re.search(r"[A-Z]{8}|_", name)]
    assert shouted == []
