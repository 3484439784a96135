"""What a cluster would give: measures a draw, a block's writing and a task's handling here, and adds them up.

.venv/bin/python benchmarks/cluster.py [FOLDER]

FOLDER is where blocks are written, on the file system in question; a temporary one if not given.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from asmrisk.analysis.jobs import run_job
from asmrisk.engine.block_task import Work
from asmrisk.engine.executors import executor
from asmrisk.engine.progress import Progress
from asmrisk.results.store import Store
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.arrays import Block, Piece
from asmrisk.simulation.model import Model, simulate_block

BASELINE = Path(__file__).resolve().parents[1] / "scenarios" / "baseline.toml"


#: Draws of a block: the most that a run chooses by itself.
LENGTH = 512


class Nothing:
    """A task, and its simulation, that do nothing: what is left of a block is handing it out."""

    compiled = True

    @property
    def simulation(self):
        return self

    def prepare(self, say=None):
        pass

    def __call__(self, pieces, slot):
        pass


def seconds_of_draw(scenario, draws=LENGTH):
    """Processor time of one draw; give its arrays too."""
    model = Model(scenario)
    simulate_block(model, 0, 1)
    began = time.process_time()
    values = simulate_block(model, 0, draws)
    return (time.process_time() - began) / draws, values


def writing(scenario, values, folder, blocks=8):
    """Seconds, bytes and files of a block."""
    length = len(values["participants"])
    job = run_job(scenario, folder / "cluster.zarr", blocks * length, length)
    store = Store.open(job.place, job.spec, job.labels, job.lengths)
    # As on a worker, which waits until its disk has the block.
    writer, times = replace(store.writer, durable=True), []
    before = set(folder.rglob("*"))
    for block in store.unfinished_blocks():
        began = time.perf_counter()
        writer.write(block, values)
        times.append(time.perf_counter() - began)
    files = [path for path in set(folder.rglob("*")) - before if path.is_file()]
    return median(times), sum(path.stat().st_size for path in files) / blocks, len(files) / blocks


def seconds_of_task(tasks=600):
    """Processor time of client and scheduler, here one process, for a block that workers do in no time."""
    task = Nothing()
    with executor(workers=2, processes=True) as cluster:
        for count in (50, tasks):
            pieces = (Piece(0, Block((n,), (n * LENGTH,), (LENGTH,))) for n in range(count))
            work = (Work(task, [piece], (0,)) for piece in pieces)
            began = time.process_time()
            cluster.compute(work, Progress(sys.stderr, quiet=True), lambda work: None)
            elapsed = time.process_time() - began
    return elapsed / tasks


def main(folder):
    scenario = load_scenario(BASELINE)
    draw, values = seconds_of_draw(scenario)
    write, size, files = writing(scenario, values, folder)
    task = seconds_of_task()
    print(f"one draw                        {1000 * draw:.1f} ms of one processor")
    written = f"{1000 * write:.0f} ms, {size / 1e6:.1f} MB in {files:.0f} files"
    print(f"writing a block of {LENGTH} draws    {written}")
    print(f"handing a block out             {1000 * task:.1f} ms of client and scheduler")
    print()
    print("| workers | draws in a block | draws a second | limited by | store | 1,000,000 draws |")
    print("|---|---|---|---|---|---|")
    for workers in (2, 100, 1000):
        for length in (LENGTH, 4 * LENGTH):
            scale = length / LENGTH
            computed = workers / (length * draw + scale * write)
            handed = 1 / task
            blocks = min(computed, handed)
            limit = "workers" if computed < handed else "client and scheduler"
            store = f"{blocks * scale * size / 1e6:,.0f} MB/s, {blocks * files:,.0f} files/s"
            rate, minutes = blocks * length, 1e6 / (blocks * length) / 60
            print(f"| {workers:,} | {length:,} | {rate:,.0f} | {limit} | {store} | {minutes:,.1f} min |")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place))
