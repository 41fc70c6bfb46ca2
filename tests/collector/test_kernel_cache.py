"""Compiled kernels are kept apart for every state of their sources."""

from pathlib import Path

import pytest

from collector.kernel_cache import choose_kernel_cache, kernel_folder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "read.py").write_text("@njit\ndef read(): ...\n")
    (tmp_path / "feed.py").write_text("@njit(cache=True)\ndef feed(): ...\n")
    (tmp_path / "pages.py").write_text("TITLE = 'x'\n")
    return tmp_path


def test_an_edit_in_any_kernel_file_moves_all_kernels(package: Path) -> None:
    before = kernel_folder(package, package / "kept")
    (package / "inner" / "read.py").write_text("@njit\ndef read(): return 1\n")
    assert kernel_folder(package, package / "kept") != before


def test_other_files_do_not_matter(package: Path) -> None:
    before = kernel_folder(package, package / "kept")
    (package / "pages.py").write_text("TITLE = 'y'\n")
    assert kernel_folder(package, package / "kept") == before


def test_bounds_checked_kernels_are_others(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kernel_folder(package, package / "kept")
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert kernel_folder(package, package / "kept") != before


def test_a_folder_that_was_chosen_by_hand_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("NUMBA_CACHE_DIR", "/chosen")
    choose_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/chosen"
