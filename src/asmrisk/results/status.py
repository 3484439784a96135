"""How far a run is: which draws are shown, finished, missing or damaged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

from asmrisk.arguments import FLAG, check_arguments
from asmrisk.errors import printable
from asmrisk.results.manifest import finished, survey
from asmrisk.results.metadata import metadata_faults, read_root
from asmrisk.results.place import Place, usable
from asmrisk.results.reading import require_store
from asmrisk.results.runs import asked_lengths, read_runs, sound_runs
from asmrisk.simulation.arrays import Block

__all__ = ["Status", "status"]


@dataclass(frozen=True, repr=False)
class Status:
    """The state of a result store; readable when printed."""

    path: Place  #: the store
    title: str  #: of the scenario
    identity: str  #: digest of what defines the numbers
    code: str  #: digest of the code that computes them
    seed: int  #: of the random streams
    version: str  #: of the package that made the store; empty if its record is damaged
    created: str  #: when, UTC
    block_length: int  #: draws that are computed and written together
    unknown: int  #: parameters that are unknown, what is linked to them left out
    draws_per_set: int  #: consecutive draws that share their values
    fixed: tuple[str, ...]  #: unknowns that are set to their medians
    leading: str  #: what the following count: ``draw``, or ``design_point`` for a study
    draws: int  #: how many were asked for
    committed: int  #: how many are shown to readers
    done: int  #: how many are finished
    missing: tuple[tuple[int, int], ...]  #: first and last of every stretch that the next run computes
    damaged: tuple[tuple[int, int], ...]  #: the same, of those with damaged files
    faults: tuple[str, ...]  #: one phrase per damaged or missing file
    verified: bool  #: whether every file was read and compared with its digest, or only looked for
    complete: bool  #: whether all that was asked for is there, sound, and shown to readers

    def __repr__(self) -> str:
        noun = self.leading.replace("_", " ") + "s"
        shared = "" if self.draws_per_set == 1 else f", whose values {self.draws_per_set} draws share"
        lines = [
            f"{self.path}: {'complete' if self.complete else 'not complete'}",
            f"  scenario   {self.title}",
            f"  identity   {self.identity[:12]}",
            f"  seed       {self.seed}",
            f"  made by    asmrisk {self.version or 'of unknown version'}, code {self.code[:12]}"
            + (f", {self.created}" if self.created else ""),
            f"  {noun:<10} {self.done:,} of {self.draws:,} finished, {self.committed:,} shown to readers, "
            f"in blocks of {self.block_length:,} draw{'s' if self.block_length > 1 else ''}",
        ]
        if self.unknown:
            lines.append(f"  unknowns   {self.unknown}{shared}")
        if self.fixed:
            lines.append(f"  unknowns   {len(self.fixed)} fixed at their medians")
        for label, stretches in (("missing", self.missing), ("damaged", self.damaged)):
            if stretches:
                said = [str(first) if first == last else f"{first} to {last}" for first, last in stretches]
                more = f", and {len(said) - 8} more stretches" if len(said) > 8 else ""
                lines.append(f"  {label:<10} {noun} {', '.join(said[:8])}{more}")
        lines += [f"             {fault}" for fault in self.faults[:10]]
        if len(self.faults) > 10:
            lines.append(f"             and {len(self.faults) - 10} more")
        if self.verified:
            lines.append("  verified   every file was read and compared with its digest")
        if not self.complete:
            lines.append("  Run it again in the same way to complete it.")
        # A store may come from anybody: what is in it must not command the terminal.
        return "\n".join(map(printable, lines))


def status(path: str | os.PathLike[str], *, verify: bool = False) -> Status:
    """Say how far a run is.

    Parameters
    ----------
    path : str or path-like
        The store that `asmrisk.run` writes.
    verify : bool
        Read every file and compare it with its digest, beyond presence and size of chunks.

    Raises
    ------
    InputError
        If there is no store, or what it holds cannot be told any more.
    """
    check_arguments(verify=(FLAG, verify))
    storage, spec = require_store(path)
    with usable(storage.place):
        root, faults = read_root(storage, spec)
        # What a commit shows is there before it.
        lengths, runs = asked_lengths(storage, spec), read_runs(storage, spec)
        if root is not None:
            faults += metadata_faults(storage, spec, root, partial(sound_runs, storage, spec), verify=verify)
        labels, *blocks = survey(storage, spec, [Block(()), *spec.blocks(lengths)], verify=verify)
    faults += [f"{key} is damaged" for key, record in runs.items() if record is None]
    faults += [fault for each in (labels, *blocks) for fault in each.faults]
    if not labels.sound and not labels.faults:
        faults.append("the labels' entry is missing")
    if root is not None:
        numbers = {run["number"] for run in root.runs}
        present = {run["number"] for run in runs.values() if run}
        faults += [f"the record of run {number} is missing" for number in sorted(numbers - present)]
    # A design point of a study is missing or damaged with any of its blocks.
    unsound = {each.block.index[0]: bool(each.faults) for each in blocks if not each.sound}
    size = spec.block_shape[0]
    stretches: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    for index, harmed in sorted(unsound.items()):
        first, last = index * size, min((index + 1) * size, lengths[0]) - 1
        so_far = stretches[harmed]
        if so_far and so_far[-1][1] + 1 == first:
            first = so_far.pop()[0]
        so_far.append((first, last))
    made = next((each for each in runs.values() if each), None)
    return Status(
        path=storage.place,
        title=spec.about["scenario"]["title"],
        identity=spec.identity,
        code=spec.definition["code"],
        seed=spec.definition["seed"],
        version=made["software"]["asmrisk"] if made else "",
        created=made["created"] if made else "",
        block_length=spec.block_shape[-1],
        unknown=len(spec.about.get("uncertainty", {})),
        draws_per_set=spec.draws_per_set,
        fixed=tuple(spec.definition.get("fixed", ())),
        leading=spec.growing[0],
        draws=lengths[0],
        committed=root.lengths[0] if root else 0,
        done=len(finished(spec, lengths, blocks)),
        missing=tuple(stretches[False]),
        damaged=tuple(stretches[True]),
        faults=tuple(faults),
        verified=verify,
        complete=root is not None and root.lengths == lengths and not unsound and not faults,
    )
