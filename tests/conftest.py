"""Shared by all tests: where the folder of real captures is, if it is there."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Kernels compile inside the first example; a deadline would measure the compiler.
settings.register_profile("mimawari", deadline=None, derandomize=True)
settings.load_profile("mimawari")

ROOT = Path(__file__).resolve().parent.parent


def captures_folder() -> Path:
    """The folder of real captures, beside the project or where MIMAWARI_CAPTURES says."""
    return Path(os.environ.get("MIMAWARI_CAPTURES", ROOT.parent / "shared" / "captures"))


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real captures; the test is skipped where it is absent."""
    folder = captures_folder()
    if not folder.is_dir():
        pytest.skip(f"no folder of real captures at {folder}")
    return folder
