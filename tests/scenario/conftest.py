"""What the tests of scenario files share."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty current folder, so that messages name files shortly."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
