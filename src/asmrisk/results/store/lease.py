"""The lock of a store in object storage: a lease, which its holder renews and which runs out when it dies.

The lease is one object. Whoever wants it writes it on the condition that it does not exist (``If-None-Match:
*``) or is still the one that was read and found free or expired (``If-Match``), so that of several only one
succeeds. The holder renews it in the background by the same condition and gives it back by marking it free;
it is never deleted, for which there is no condition.

Assumptions: the service honors these conditions (Amazon's does, and most others), and stamps objects with one
clock of its own. Whether a lease has expired is judged by that clock alone: its age is the difference between
the stamps of the lease and of an object written for the purpose. The holder measures the time since its last
renewal by its own clock, from before it asked, and stops a fifth of the lease's duration early; so clocks of
machines need not agree, only run at the same speed. Should a process nevertheless go on with a lost lease
(asleep for minutes between the check and the write), a block that it writes holds the same bits, and the
commit is itself conditional on the one it knows.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from uuid import uuid4

from asmrisk.errors import InputError, RunError
from asmrisk.results.description import FOLDER
from asmrisk.results.location import Location
from asmrisk.results.store.storage import another_writer

__all__ = ["DURATION", "KEY", "ConditionFailedError", "Lease", "Objects", "Stamped", "holding", "is_held"]

#: Seconds after which a lease that was not renewed may be taken over.
DURATION = 60.0

#: Nobody keeps others out for longer by writing so.
_LONGEST = 3600.0

#: Object that holds the lease.
KEY = f"{FOLDER}/lease.json"

#: Seconds for which the end of a run waits for a renewal under way.
_PATIENCE = 3.0

#: Resolution of the service's stamps, seconds.
_RESOLUTION = 1.0


class ConditionFailedError(Exception):
    """A conditional write found another version of the object than the one expected."""


class Stamped(NamedTuple):
    """An object with what the service says of it."""

    data: bytes
    version: str
    modified: datetime


class Objects(Protocol):
    """What the lease needs of object storage."""

    def get(self, key: str) -> Stamped | None:
        """Give an object, ``None`` if it does not exist."""

    def put_if(self, key: str, data: bytes, version: str | None) -> str:
        """Write an object if its version is still this one (``None``: if it does not exist).

        Returns
        -------
        str
            The new version.

        Raises
        ------
        ConditionFailedError
            If it is not.
        """

    def now(self) -> datetime:
        """Give the time by the service's clock."""


@dataclass(frozen=True)
class Lease:
    """Content of the lease's object.

    Attributes
    ----------
    holder : str
        Session of the one who wrote it.
    duration : float
        Seconds after its stamp when it expires.
    renewals : int
        Makes every version differ from the one before.
    free : bool
        Given back.
    """

    holder: str
    duration: float
    renewals: int = 0
    free: bool = False

    def encode(self) -> bytes:
        """Give the object's bytes."""
        return json.dumps(self.__dict__).encode()

    @classmethod
    def decode(cls, data: bytes) -> Lease:
        """Read the object; one that cannot be read counts as just written by somebody unknown."""
        try:
            body = json.loads(data)
            duration = min(float(body["duration"]), _LONGEST)
            return cls(str(body["holder"]), duration, int(body["renewals"]), bool(body["free"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls("unknown", DURATION)

    def seconds_left(self, modified: datetime, now: datetime) -> float:
        """Give the time until it may be taken over; not positive if it may be now."""
        if self.free:
            return 0.0
        return self.duration + _RESOLUTION - (now - modified).total_seconds()


def is_held(found: Stamped | None) -> bool:
    """Whether a run holds the lease, to be shown: this machine's clock is good enough for that."""
    if found is None:
        return False
    return Lease.decode(found.data).seconds_left(found.modified, datetime.now(UTC)) > 0.0


@contextlib.contextmanager
def holding(
    objects: Objects, place: Location, duration: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[_Held]:
    """Hold the lease for as long as the context lasts.

    Parameters
    ----------
    objects : Objects
        Where it is.
    place : Location
        For messages.
    duration : float
        Seconds.
    clock : callable
        This machine's clock.

    Yields
    ------
    Hold
        With the session.

    Raises
    ------
    RunError
        If another run holds it.
    InputError
        If the service ignores conditions.
    OSError
        If the service fails.
    """
    held = _Held(objects, place, Lease(uuid4().hex, duration), clock)
    held.acquire()
    renewer = threading.Thread(target=held.renew_forever, name="asmrisk-lease", daemon=True)
    renewer.start()
    try:
        yield held
    finally:
        held.ended.set()
        renewer.join(_PATIENCE)
        if not renewer.is_alive():
            held.release()


class _Held:
    """The lease in the hands of this process, renewed by a thread of its own."""

    def __init__(self, objects: Objects, place: Location, lease: Lease, clock: Callable[[], float]) -> None:
        self.session = lease.holder
        self.ended = threading.Event()
        self._objects, self._place, self._lease, self._clock = objects, place, lease, clock
        self._version: str | None = None
        self._until = 0.0
        self._lost = False

    def acquire(self) -> None:
        found = self._objects.get(KEY)
        if found is not None:
            left = Lease.decode(found.data).seconds_left(found.modified, self._objects.now())
            if left > 0.0:
                raise another_writer(
                    self._place,
                    f"Wait until it has ended, or, if it was killed, {left:.0f} s until its lease expires",
                )
        try:
            self._write(self._lease, None if found is None else found.version)
        except ConditionFailedError:
            raise another_writer(self._place) from None
        self._require_conditions()

    def _require_conditions(self) -> None:
        """Refuse a service that ignores conditions, by writing once more what must not be written."""
        for version in (None, '"0"'):
            try:
                self._objects.put_if(KEY, self._lease.encode(), version)
            except ConditionFailedError:
                continue
            raise InputError(
                f"{self._place} cannot be used: its service ignores the conditions of a write (If-None-"
                "Match, If-Match), so two runs could write to one store at once. Give a folder with --out, "
                "or another service."
            )

    def _write(self, lease: Lease, version: str | None) -> None:
        began = self._clock()
        try:
            self._version = self._objects.put_if(KEY, lease.encode(), version)
        except ConditionFailedError:
            # A request that was repeated because its answer was lost meets its own first effect.
            found = self._objects.get(KEY)
            if found is None or found.data != lease.encode():
                raise
            self._version = found.version
        self._lease = lease
        self._until = began + 0.8 * lease.duration

    def renew_forever(self) -> None:
        """Renew until the end, or until it is lost."""
        while not self.ended.wait(self._lease.duration / 4.0):
            try:
                self._write(replace(self._lease, renewals=self._lease.renewals + 1), self._version)
            except ConditionFailedError:
                self._lost = True
                return
            except OSError:
                continue  # Tried again, until `check` finds that it has taken too long.

    def check(self) -> None:
        if self._lost or self._clock() > self._until:
            why = "another run has taken it over" if self._lost else "the storage cannot be reached"
            raise RunError(
                f"the lease on {self._place} was lost: {why}. This run has ended and writes nothing more; "
                "what it finished is kept"
            )

    def release(self) -> None:
        if self._lost:
            return
        # Not being able to give it back is no failure of the run: it expires.
        with contextlib.suppress(ConditionFailedError, OSError):
            lease = replace(self._lease, renewals=self._lease.renewals + 1, free=True)
            self._objects.put_if(KEY, lease.encode(), self._version)
