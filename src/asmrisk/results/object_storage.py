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

#: What an error of the client has in it, and what it means; the first that fits.
_MEANINGS = (
    ("NoSuchBucket", "there is no bucket {bucket}"),
    ("ExpiredToken", "the session token has expired; sign in again and renew AWS_SESSION_TOKEN"),
    ("InvalidToken", "the session token is not accepted; check AWS_SESSION_TOKEN"),
    ("InvalidAccessKeyId", "the access key is not known; check AWS_ACCESS_KEY_ID"),
    ("SignatureDoesNotMatch", "the secret key is not that of the access key; check AWS_SECRET_ACCESS_KEY"),
    ("RequestTimeTooSkewed", "the clock of this machine is wrong; set it"),
    ("redirect without LOCATION", "the bucket {bucket} is in another region; check AWS_REGION"),
    # Without credentials in the environment the client asks the machine's own service for its role.
    (
        "latest/(api/token|meta-data)",
        "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    ("status code: (?!511)5", "{service} is out of order or overloaded; try again later"),
    (
        "(?i)<html|<!doctype html|status code: (30|511)|ETag Header missing|invalid list response",
        "in the place of {service} something else answers, such as the page of a network that asks to sign "
        "in or of a proxy; sign in, or check AWS_ENDPOINT_URL",
    ),
    ("error sending request", "{service} does not answer"),
    (
        "status code: 40[13]",
        "access to the bucket {bucket} was denied; check AWS_ACCESS_KEY_ID and what its owner may do there",
    ),
)

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
        return self._ask(lambda store: _whole(store, key, self.place)[0])

    def _get(self, key: str) -> tuple[bytes | None, str | None]:
        """Give an object's bytes, and the tag of this version of it; ``None`` for one that is not there."""
        try:
            return self._ask(lambda store: _whole(store, key, self.place))
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

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Refuse a service that ignores conditions, by writing twice what must be written once."""
        key = f"{FOLDER}/conditions"
        self.create(key, b"")
        for tag in (None, '"0"'):
            with suppress(_ForestalledError):
                self._put_if(key, b"", tag)
                self.remove(key)
                raise InputError(
                    f"{self.place} cannot be used: its service ignores the conditions of a write (If-None-"
                    "Match, If-Match), so two runs could damage each other's results. Give a folder, or "
                    "another service."
                )
        yield

    def _ask(self, question: Callable[[S3Store], _Result]) -> _Result:
        """Ask the service, and turn its errors into those of a file system."""
        try:
            return question(_client(self.place, _endpoint()))
        except FileNotFoundError:
            raise
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise _ForestalledError from None
        except exceptions.BaseError as error:
            text = " ".join(str(error).split())
            if isinstance(error, exceptions.NotFoundError) and "<html" not in text.lower():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.place) from None
            denied = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
            raise OSError(errno.EACCES if denied else errno.EIO, _gist(text, self.place)) from None


def _whole(store: S3Store, key: str, place: str) -> tuple[bytes, str]:
    """Give the bytes of an object of a place, and the tag of this version of it."""
    found = obstore.get(store, check_key(key))
    check_size(key, found.meta["size"], place)
    if not found.meta["e_tag"]:  # No answer of object storage.
        raise exceptions.GenericError("ETag Header missing")
    return found.bytes().to_bytes(), found.meta["e_tag"]


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


def _gist(text: str, place: str) -> str:
    """Say what is wrong, which the client tells in many lines."""
    for sign, meaning in _MEANINGS:
        if re.search(sign, text):
            return meaning.format(bucket=_bucket(place), service=_endpoint() or "the storage service")
    return text if len(text) <= 200 else text[:197] + "..."
