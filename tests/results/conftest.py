"""Fixtures for the tests of stores."""

import os
from datetime import timedelta

import pytest

from asmrisk.results import object_storage


@pytest.fixture
def hasty_disk(monkeypatch):
    """Do not wait for the disk, which takes most of the time, where losses of power are no question."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def hasty_service(monkeypatch):
    """Send a request that failed again at once, as often as ever."""
    soon = timedelta(milliseconds=1)
    original = object_storage.S3Store

    def client(bucket, **options):
        retries = options.pop("retry_config") | {
            "backoff": {"init_backoff": soon, "max_backoff": soon, "base": 2}
        }
        return original(bucket, retry_config=retries, **options)

    monkeypatch.setattr(object_storage, "S3Store", client)
