"""Stores in object storage (``s3://bucket/prefix``): Amazon S3 and services that speak its protocol.

Endpoint, region and credentials come from the usual environment variables (``AWS_ENDPOINT_URL``,
``AWS_REGION``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``) or from the role of
the machine; nothing of them is ever stored. An object appears whole or not at all, and outlives a loss of
power once its write has been answered. In the place of a lock, every write is conditional: that there is no
such object yet (``If-None-Match``), or that it is still the one that was read (``If-Match``).
"""

# ruff: noqa: D102 (what the methods do is told in `asmrisk.results.folder.Folder`)

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

import obstore
from obstore import exceptions
from obstore.store import S3Store

from asmrisk.errors import InputError
from asmrisk.results.folder import NO_STORE, Change, Changer, GoOn, Say, check_key, check_size
from asmrisk.results.spec import FOLDER

__all__ = ["Bucket"]

#: Requests under way at the same time.
_REQUESTS = 32

#: A request is given up after so many seconds, all its repetitions together.
_PATIENCE = 20

#: How often a change is tried that others forestall.
_TRIES = 100

_Result = TypeVar("_Result")


class _ForestalledError(Exception):
    """A conditional write found another object than the one expected."""


@dataclass(frozen=True)
class Bucket:
    """A prefix in a bucket."""

    place: str  #: ``s3://bucket/prefix``

    def exists(self) -> bool:
        return self._any_at(None)

    def _any_at(self, prefix: str | None) -> bool:
        return self._ask(lambda store: any(obstore.list(store, prefix=prefix, chunk_size=1)))

    def read(self, key: str) -> bytes:
        data, _ = self._get(key)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.place)
        return data

    def _get(self, key: str) -> tuple[bytes | None, str | None]:
        """Give an object's bytes, and the tag of this version of it; ``None`` for one that is not there."""

        def ask(store: S3Store) -> tuple[bytes, str]:
            found = obstore.get(store, check_key(key))
            check_size(key, found.meta["size"], self.place)
            return found.bytes().to_bytes(), found.meta["e_tag"] or ""

        try:
            return self._ask(ask)
        except FileNotFoundError:
            return None, None

    def read_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from (data for data, _ in pool.map(self._get, keys))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        def ask(store: S3Store) -> dict[str, int]:
            listed = obstore.list(store, prefix=prefix or None)
            return {each["path"]: each["size"] for part in listed for each in part}

        return self._ask(ask)

    def _put_if(self, key: str, data: bytes, tag: str | None) -> None:
        """Write an object if it is still the one with this tag (``None``: if there is none)."""
        mode: Any = "create" if tag is None else {"e_tag": tag}
        try:
            self._ask(lambda store: obstore.put(store, check_key(key), data, mode=mode))
        except FileNotFoundError:
            raise _ForestalledError from None

    def create(self, key: str, data: bytes, *, durable: bool = False) -> bool:
        try:
            self._put_if(key, data, None)
        except _ForestalledError:
            return False
        return True

    def create_many(self, files: dict[str, bytes]) -> list[bool]:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            return list(pool.map(self.create, files, files.values()))

    @contextmanager
    def changing(self, say: Say | None = None, go_on: GoOn | None = None) -> Iterator[Changer]:
        yield self._change

    def _change(self, key: str, new: Change, /, *, durable: bool = True) -> bytes:
        for _ in range(_TRIES):
            old, tag = self._get(key)
            data = new(old)
            # Forestalled by another one, or by itself: a request repeated because its answer was lost.
            with suppress(_ForestalledError):
                if data != old:
                    self._put_if(key, data, tag)
                return data
        raise OSError(errno.EBUSY, f"{self.place}/{key} was changed by others {_TRIES} times in a row")

    def remove(self, key: str) -> None:
        self._ask(lambda store: obstore.delete(store, check_key(key)))

    def flush(self) -> None:
        pass

    def refusal(self) -> str:
        return NO_STORE if self._any_at(None) and not self._any_at(FOLDER) else ""

    def prepare(self) -> None:
        """Refuse a service that ignores conditions, by writing twice what must be written once."""
        key = f"{FOLDER}/conditions"
        self.create(key, b"")
        for tag in (None, '"0"'):
            with suppress(_ForestalledError):
                self._put_if(key, b"", tag)
                raise InputError(
                    f"{self.place} cannot be used: its service ignores the conditions of a write (If-None-"
                    "Match, If-Match), so two runs could damage each other's results. Give a folder, or "
                    "another service."
                )

    def _ask(self, question: Callable[[S3Store], _Result]) -> _Result:
        """Ask the service, and turn its errors into those of a file system."""
        try:
            return question(_client(self.place, _endpoint()))
        except FileNotFoundError:
            raise
        except exceptions.NotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.place) from None
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise _ForestalledError from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise PermissionError(
                errno.EACCES,
                f"access to the bucket {_bucket(self.place)} was denied; check AWS_ACCESS_KEY_ID",
            ) from None
        except exceptions.BaseError as error:
            raise OSError(errno.EIO, _gist(error, self.place)) from None


def _bucket(place: str) -> str:
    return place.split("/")[2]


def _endpoint() -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    name = next((name for name in names if os.environ.get(name)), "")
    given = os.environ.get(name, "")
    # What is no URL, the client answers with a panic.
    if given and not re.fullmatch(r"https?://([\w.-]+|\[[\da-fA-F:]+\])(:\d+)?(/\S*)?", given):
        raise InputError(f"{name} is {given!r}; it must be a URL as in https://storage.example.org:9000.")
    return given


@lru_cache(maxsize=8)
def _client(place: str, endpoint: str) -> S3Store:
    """Connect; once per process and place."""
    config: Any = {"endpoint": endpoint} if endpoint else {}
    return S3Store(
        _bucket(place),
        config=config,
        prefix=place.split("/", 3)[3],
        client_options={
            # Only where the user asks for it: a server of one's own, without TLS.
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=_PATIENCE),
        },
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=_PATIENCE)},
    )


def _gist(error: Exception, place: str) -> str:
    """Say what is wrong, which the client tells in many lines."""
    text = " ".join(str(error).split())
    if "NoSuchBucket" in text:
        return f"there is no bucket {_bucket(place)}"
    # Without credentials in the environment the client asks the machine's own service for its role.
    if "latest/api/token" in text or "latest/meta-data" in text:
        return "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if "error sending request" in text:
        return f"{_endpoint() or 'the storage service'} does not answer"
    return text if len(text) <= 200 else text[:197] + "..."
