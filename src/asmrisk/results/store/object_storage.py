"""Stores in object storage (``s3://bucket/prefix``): Amazon S3 and services that speak its protocol.

Endpoint, region and credentials come from the usual environment variables (``AWS_ENDPOINT_URL``,
``AWS_REGION``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``) or from the role of
the machine; nothing of them is ever stored. An object appears whole or not at all, and outlives a loss of
power once its write has been answered.
"""

# ruff: noqa: D102 (what the methods do is told where `Storage` declares them)

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from asmrisk.errors import InputError, RunError
from asmrisk.results.description import FOLDER
from asmrisk.results.location import ObjectUrl
from asmrisk.results.store import lease
from asmrisk.results.store.storage import NO_STORE, Hold, check_key

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

__all__ = ["ObjectStorage", "require_package"]

#: Requests under way at the same time.
_REQUESTS = 32

#: A request is given up after so many seconds, all its repetitions together: well before a lease expires.
_PATIENCE = 20

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class ObjectStorage:
    """A prefix in a bucket.

    Attributes
    ----------
    location : ObjectUrl
        The place.
    """

    location: ObjectUrl

    @property
    def readers(self) -> int:
        return _REQUESTS

    def exists(self) -> bool:
        return self._any_at(None)

    def _any_at(self, prefix: str | None) -> bool:
        import obstore

        return self._ask(lambda store: any(obstore.list(store, prefix=prefix, chunk_size=1)))

    def read(self, key: str) -> bytes:
        import obstore

        return self._ask(lambda store: obstore.get(store, check_key(key)).bytes().to_bytes())

    def _read_if_there(self, key: str) -> bytes | None:
        try:
            return self.read(key)
        except FileNotFoundError:
            return None

    def read_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from pool.map(self._read_if_there, keys)

    def sizes(self) -> dict[str, int]:
        import obstore

        return self._ask(
            lambda store: {each["path"]: each["size"] for part in obstore.list(store) for each in part}
        )

    def write(self, key: str, data: bytes, *, durable: bool = False) -> None:
        import obstore

        self._ask(lambda store: obstore.put(store, check_key(key), data, use_multipart=False))

    def write_many(self, files: Mapping[str, bytes]) -> None:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            for each in [pool.submit(self.write, key, data) for key, data in files.items()]:
                each.result()

    def replace(self, key: str, old: bytes | None, new: bytes) -> None:
        found = self.get(key)
        version = None if found is None else found.version
        if (None if found is None else found.data) != old:
            raise _changed(self.location, key)
        try:
            self.put_if(key, new, version)
        except lease.ConditionFailedError:
            # A request that was repeated because its answer was lost meets its own first effect.
            if self._read_if_there(key) != new:
                raise _changed(self.location, key) from None

    def flush(self) -> None:
        pass

    def refusal(self) -> str:
        return NO_STORE if self._any_at(None) and not self._any_at(FOLDER) else ""

    def prepare(self) -> None:
        pass

    def tidy(self) -> None:
        pass

    def lock(self) -> AbstractContextManager[Hold]:
        return lease.holding(self, self.location, lease.DURATION)

    def holder(self) -> str:
        data = self._read_if_there(lease.KEY)
        return "" if data is None else lease.Lease.decode(data).holder

    def locked(self) -> bool:
        return lease.is_held(self.get(lease.KEY))

    # What the lease needs

    def get(self, key: str) -> lease.Stamped | None:
        """Give an object with its version and stamp, ``None`` if it does not exist."""
        import obstore

        def ask(store: S3Store) -> lease.Stamped:
            found = obstore.get(store, check_key(key))
            data = found.bytes().to_bytes()
            return lease.Stamped(data, found.meta["e_tag"] or "", found.meta["last_modified"])

        try:
            return self._ask(ask)
        except FileNotFoundError:
            return None

    def put_if(self, key: str, data: bytes, version: str | None) -> str:
        """Write an object if its version is still this one; see `asmrisk.results.store.lease.Objects`."""
        import obstore

        def ask(store: S3Store) -> str:
            mode: Any = "create" if version is None else {"e_tag": version}
            return obstore.put(store, check_key(key), data, mode=mode)["e_tag"] or ""

        try:
            return self._ask(ask)
        except FileNotFoundError:
            raise lease.ConditionFailedError from None

    def now(self) -> datetime:
        """Give the time by the service's clock: the stamp of an object made for the purpose."""
        import obstore

        key = f"{FOLDER}/clock/{uuid4().hex}"
        self.write(key, b"")
        try:
            return self._ask(lambda store: obstore.head(store, key)["last_modified"])
        finally:
            with contextlib.suppress(OSError):
                self._ask(lambda store: obstore.delete(store, key))

    def _ask(self, question: Callable[[S3Store], _Result]) -> _Result:
        """Ask the service, and turn its errors into those of a file system."""
        from obstore import exceptions

        try:
            return question(_client(self.location, _endpoint()))
        except FileNotFoundError:
            raise
        except exceptions.NotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.location)) from None
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise lease.ConditionFailedError from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise PermissionError(
                errno.EACCES,
                f"access to the bucket {self.location.bucket} was denied; check AWS_ACCESS_KEY_ID",
            ) from None
        except exceptions.BaseError as error:
            raise OSError(errno.EIO, _gist(error, self.location)) from None


def _changed(place: ObjectUrl, key: str) -> RunError:
    return RunError(
        f"another run has changed {place}/{key}: this one has lost its lease, ends, and commits nothing"
    )


def _endpoint() -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


@lru_cache(maxsize=8)
def _client(place: ObjectUrl, endpoint: str) -> S3Store:
    """Connect; once per process and place."""
    from obstore.store import S3Store

    config: S3Config = {"endpoint": endpoint} if endpoint else {}
    return S3Store(
        place.bucket,
        config=config,
        prefix=place.prefix,
        client_options={
            # Only where the user asks for it: a server of one's own, without TLS.
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=_PATIENCE),
        },
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=_PATIENCE)},
    )


def _gist(error: Exception, place: ObjectUrl) -> str:
    """Say what is wrong, which the client tells in many lines."""
    text = " ".join(str(error).split())
    if "NoSuchBucket" in text:
        return f"there is no bucket {place.bucket}"
    # Without credentials in the environment the client asks the machine's own service for its role.
    if "latest/api/token" in text or "latest/meta-data" in text:
        return "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if "error sending request" in text:
        return f"{_endpoint() or 'the storage service'} does not answer"
    return text if len(text) <= 200 else text[:197] + "..."


def require_package() -> None:
    """Raise InputError if the package for object storage is not installed."""
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise InputError(
            "Results at s3://… need a package that is not installed; install asmrisk with the extra s3: "
            "pip install 'asmrisk[s3]'."
        ) from None
