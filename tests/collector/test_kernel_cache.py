"""Compiled kernels are kept apart for every state of their sources."""

from pathlib import Path

import pytest

from collector.kernel_cache import choose_kernel_cache, kernel_folder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "house"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "read.py").write_text("@njit\ndef read(): ...\n")
    (package / "codes.py").write_text("from house import more\nDNS = 3\n")
    (package / "more.py").write_text("FTP = 4\n")
    (package / "feed.py").write_text(
        "from house.codes import (\n    DNS,\n)\nfrom house.inner import read\n"
        "@njit(cache=True)\ndef feed(): ...\n"
    )
    (package / "pages.py").write_text("TITLE = 'x'\n")
    return package


@pytest.mark.parametrize("edited", ["inner/read.py", "codes.py", "more.py"])
def test_an_edit_of_what_a_kernel_imports_moves_all_kernels(package: Path, edited: str) -> None:
    before = kernel_folder(package, package / "kept")
    path = package / edited
    path.write_text(path.read_text() + "# edited\n")
    assert kernel_folder(package, package / "kept") != before


@pytest.mark.parametrize("edited", ["pages.py", "feed.py"])
def test_other_files_do_not_matter(package: Path, edited: str) -> None:
    """Numba itself sees an edit in feed.py, whose kernels no other file imports."""
    before = kernel_folder(package, package / "kept")
    path = package / edited
    path.write_text(path.read_text() + "# edited\n")
    assert kernel_folder(package, package / "kept") == before


def test_bounds_checked_kernels_are_others(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)  # `make test-bounds` sets it
    before = kernel_folder(package, package / "kept")
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert kernel_folder(package, package / "kept") != before


def test_a_folder_that_was_chosen_by_hand_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("NUMBA_CACHE_DIR", "/chosen")
    choose_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/chosen"
