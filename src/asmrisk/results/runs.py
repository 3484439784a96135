"""Who wrote to a store, and how much was asked for: one small file a run."""

from __future__ import annotations

from typing import Any

from asmrisk.results.folder import Say
from asmrisk.results.metadata import is_run, read_root, shown_lengths
from asmrisk.results.place import Storage
from asmrisk.results.provenance import circumstances
from asmrisk.results.spec import FOLDER, UNREADABLE, StoreSpec, sealed, unsealed

__all__ = ["asked_lengths", "read_runs", "record_run", "sound_runs"]

_RUNS = f"{FOLDER}/runs"

_FIELDS = ("identity", "number", "lengths", "created", "software", "environment")


def read_runs(storage: Storage, spec: StoreSpec) -> dict[str, dict[str, Any] | None]:
    """Read the records of runs, by key; ``None`` for a damaged one."""
    keys = sorted(key for key in storage.sizes(_RUNS) if key.endswith(".json"))
    files = zip(keys, storage.read_many(keys), strict=True)
    return {key: _run_in(data, key, spec) for key, data in files}


def _run_in(data: bytes | None, key: str, spec: StoreSpec) -> dict[str, Any] | None:
    body = unsealed(data) or {}
    try:
        good = is_run(body, spec) and _key(body["number"]) == key
    except UNREADABLE:  # Another kind of file.
        return None
    return body if good else None


def _key(number: int) -> str:
    return f"{_RUNS}/{number:06d}.json"


def sound_runs(storage: Storage, spec: StoreSpec) -> list[dict[str, Any]]:
    """Read the records that are not damaged, the first one first."""
    return [run for run in read_runs(storage, spec).values() if run]


def asked_lengths(storage: Storage, spec: StoreSpec, lengths: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Give what the latest run asks for (or these lengths), or what readers see where that is more."""
    runs = sound_runs(storage, spec)
    lengths = lengths or tuple(runs[-1]["lengths"] if runs else [0] * len(spec.growing))
    return tuple(map(max, lengths, shown_lengths(storage, spec, runs)))


def record_run(storage: Storage, spec: StoreSpec, lengths: tuple[int, ...], say: Say | None) -> None:
    """Note how much is asked for, with which software, on what machine; restore the notes of others."""
    root, _ = read_root(storage, spec)
    written = [] if root is None else root.runs
    wanted = {_key(run["number"]): sealed({name: run[name] for name in _FIELDS}) for run in written}
    known = read_runs(storage, spec)
    storage.create_many({key: data for key, data in wanted.items() if key not in known})
    for key in [key for key, run in known.items() if run is None]:
        if key in wanted:
            with storage.changing(say) as change:
                change(key, lambda found, key=key: wanted[key])  # type: ignore[misc]
        else:
            storage.remove(key)
    if root is not None and all(map(int.__ge__, root.lengths, lengths)):
        return
    runs = sound_runs(storage, spec)
    new = {"identity": spec.identity, "lengths": list(lengths), **circumstances()}
    if runs and all(runs[-1][name] == new[name] for name in ("lengths", "software", "environment")):
        return
    number = runs[-1]["number"] + 1 if runs else 0
    while not storage.create(_key(number), sealed({"number": number, **new}), durable=True):
        # By another one, or by itself: a request that was repeated because its answer was lost.
        if list(storage.read_many([_key(number)])) == [sealed({"number": number, **new})]:
            return
        number += 1
