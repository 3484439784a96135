"""Running scenarios: arguments checked, what will be done said, and stores filled."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, TextIO, TypedDict, Unpack, overload

from asmrisk.analysis.announcement import announced
from asmrisk.analysis.jobs import Out, run_jobs, sharing_jobs, whole_numbers
from asmrisk.analysis.wording import title_words
from asmrisk.arguments import FLAG, check_arguments
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from asmrisk.results.place import Place
from asmrisk.results.store import Store
from asmrisk.scenario.scenario import ScenarioLike
from asmrisk.simulation.arrays import block_length, bytes_per_draw

if TYPE_CHECKING:
    from distributed import Client, Security
    from distributed.deploy.cluster import Cluster

__all__ = ["RunOptions", "run"]

#: Bytes of a block from which its memory is worth a word; files a variable, from which they are many.
_LARGE, _MANY = 2e8, 200


class RunOptions(TypedDict, total=False):
    """Arguments of `run` but the scenarios and the numbers of draws."""

    seed: int | None
    out: Out | None
    workers: int | None
    processes: bool
    scheduler: str | os.PathLike[str] | None
    client: Client | Cluster | None
    security: Security | None
    block_size: int | None
    fixed: bool
    title: str | None
    quiet: bool
    stream: TextIO | None


@overload
def run(
    *,
    scenarios: Mapping[str, ScenarioLike],
    draws: int | None = ...,
    most_draws: int | None = ...,
    **options: Unpack[RunOptions],
) -> dict[str, Place]: ...
@overload
def run(
    scenario: ScenarioLike,
    /,
    *,
    draws: int | None = ...,
    most_draws: int | None = ...,
    **options: Unpack[RunOptions],
) -> Place: ...
@overload
def run(
    *several: ScenarioLike,
    draws: int | None = ...,
    most_draws: int | None = ...,
    **options: Unpack[RunOptions],
) -> list[Place]: ...
def run(
    *several: ScenarioLike,
    scenarios: Mapping[str, ScenarioLike] | None = None,
    draws: int | None = None,
    seed: int | None = None,
    out: Out | None = None,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    client: Client | Cluster | None = None,
    security: Security | None = None,
    block_size: int | None = None,
    most_draws: int | None = None,
    fixed: bool = False,
    title: str | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Place | list[Place] | dict[str, Place]:
    """Simulate scenarios and write the results to stores, or complete or extend those that are there.

    Parameters
    ----------
    *several : path, Scenario or dict
        What to simulate: TOML files, scenarios, or dicts of what differs from the final rule, as for
        `Scenario.from_dict`: ``{"policy.redistribution_share": 1.0}``. Several share the workers and have one
        store each; those that differ only in policy, or in the response to it, share what is simulated of
        the field, and every store holds the same as if it were run alone.
    scenarios : mapping of str to path, Scenario or dict, optional
        The same by names, which become the titles of the results and the names of their stores.
    draws, seed : int, optional
        Instead of the scenario's ``run.draws`` and ``run.seed``. The first n draws do not depend on `draws`.
    out : path or URL, or a list of them, optional
        The store, a folder or ``s3://bucket/prefix``; of several scenarios, or of named ones, the folder that
        holds their stores, or a list of all stores. If not given, ``results/NAME.zarr`` with the stem of the
        scenario's file, the name, or else the title; with `fixed` ``results/NAME_fixed.zarr``. What it holds
        of the same run is kept.
    workers : int, optional
        Threads, or with `processes` processes; as many as processors if not given.
    processes : bool
        Compute in worker processes of this machine instead of threads. A script that asks for it must be
        guarded by ``if __name__ == "__main__":``, since every worker imports it.
    scheduler : str or path, optional
        Compute on a dask cluster: its scheduler's address or the file that the scheduler wrote. The store
        must lie where all of its workers can write.
    client : distributed.Client, or a cluster, optional
        The same by a client that is connected to the scheduler, or by the cluster (``LocalCluster``,
        ``SLURMCluster`` and so on). It is left open.
    security : distributed.Security, optional
        Certificates for the scheduler; dask's configuration if not given.
    block_size : int, optional
        Draws that are computed and written together; counts when the store is made. Chosen by the draws asked
        for if not given.
    most_draws : int, optional
        How many draws may be asked for later: a new store's blocks are made for so many.
    fixed : bool
        Set every unknown to its median (of words to the likeliest): ranges then hold chance alone.
    title : str, optional
        Instead of the scenario's own. A store that is there keeps its title, which is no part of what it is.
    quiet : bool
        Write nothing but errors.
    stream : file, optional
        Where to say what will be done and to show progress; standard error if not given. There a terminal and
        a notebook show a bar, anything else a line after ten seconds and then every minute. What will be done
        is said first; from 1,000 draws on also how long it takes and how exact it will be, from a pilot of 40
        of them.

    Returns
    -------
    pathlib.Path or str, or a list or a dict of them
        The store, complete; of several scenarios all of them, in their order; of named ones each by its name.

    Raises
    ------
    InputError
        If an argument, a scenario or a place cannot be used; nothing is computed.
    RunError
        If a block fails three times, the disk is full, no scheduler answers or it is lost.
    Interrupted
        On Ctrl-C or SIGTERM, within seconds. Complete stores and finished blocks are always kept.

    Examples
    --------
    A sweep of ten values, here with few clinicians and draws:

    >>> import asmrisk, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> few = asmrisk.Scenario.from_dict({"population.clinicians": 200})
    >>> sweep = {f"share {n / 10}": few.with_({"policy.redistribution_share": n / 10}) for n in range(1, 11)}
    >>> stores = asmrisk.run(scenarios=sweep, draws=4, out=folder.name, quiet=True)
    >>> savings = {name: asmrisk.open_results(store).retained_savings for name, store in stores.items()}
    >>> means = [float(each.sum(["performance_year", "cohort"]).mean()) for each in savings.values()]
    >>> means == sorted(means, reverse=True)
    True
    >>> folder.cleanup()
    """
    draws, workers, block_size, most_draws, seed = whole_numbers(
        seed, draws=draws, workers=workers, block_size=block_size, most_draws=most_draws
    )
    check_arguments(processes=(FLAG, processes), fixed=(FLAG, fixed), quiet=(FLAG, quiet))
    chosen = executor(
        workers=workers, processes=processes, scheduler=scheduler, client=client, security=security
    )
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    jobs = run_jobs(
        *several,
        scenarios=scenarios,
        draws=draws,
        seed=seed,
        out=out,
        block_size=block_size,
        most_draws=most_draws,
        fixed=fixed,
        title=title,
    )
    shared, said = sharing_jobs(jobs)
    for line in said:
        progress.say(line)
    places = [job.place for job in jobs]
    wanted = {str(job.place): job.spec.headings["title"] for job in jobs}
    fill(
        shared,
        chosen,
        progress,
        remark=lambda store: _remark(store, wanted[str(store.place)], block_size, progress),
        announce=partial(announced, shared, elsewhere=scheduler is not None or client is not None),
    )
    if scenarios is not None:
        return dict(zip(scenarios, places, strict=True))
    return places[0] if len(several) == 1 else places


def _remark(store: Store, title: str, block_size: int | None, progress: Progress) -> None:
    """Say what is worth knowing of a store before it is filled."""
    spec, length = store.spec, store.spec.block_shape[-1]
    if title != spec.headings["title"]:
        progress.say(
            f"{store.place} keeps its title, {title_words(spec.headings['title'])!r}; another place "
            f"would have {title_words(title)!r}"
        )
    if block_size not in (None, length):
        progress.say(
            f"{store.place} was made with blocks of {length} draws; a block size of {block_size} has no "
            "effect"
        )
    elif block_size is not None and block_size > store.lengths[-1]:
        progress.say(
            f"{store.place} has blocks of {length:,} draws, and blocks are computed whole: more than the "
            f"{store.lengths[-1]:,} draws asked for"
        )
    files = -(-store.lengths[-1] // length)
    if (
        block_size is None
        and files > _MANY
        and length < block_length(store.lengths[-1], spec.arrays, spec.draws_per_set)
    ):
        progress.say(
            f"{store.place} was made with blocks of {length} draws, which for {store.lengths[-1]:,} draws "
            f"makes {files:,} small files of each variable; a new store would have fewer"
        )
    if "roster" in spec.about:
        from rich.filesize import decimal  # A run without a roster does not wait for it.

        own = {path: array for path, array in spec.arrays.items() if "clinician" in array.dims}
        size, clinicians = bytes_per_draw(own), spec.arrays["clinician/clinician"].shape[0]
        text = (
            f"the roster's {clinicians:,} clinicians add about {decimal(size)} a draw, "
            f"{decimal(size * store.lengths[-1])} in all"
        )
        if size * length > _LARGE:
            text += f", and {decimal(size * length)} of memory for each block under way"
        progress.say(text)
