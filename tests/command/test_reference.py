"""The reference pages are those that the code gives."""

import pytest

from api.reference import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_not_stale(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run: python -m api.reference"
