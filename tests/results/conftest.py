"""Fixtures for the tests of stores."""

import os

import pytest


@pytest.fixture
def hasty_disk(monkeypatch):
    """Do not wait for the disk, which takes most of the time, where losses of power are no question."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "sync", lambda: None)
