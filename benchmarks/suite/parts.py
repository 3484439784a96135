"""Parts of the kernel, each on its own: streams, transforms, observation, scoring, payment, recording.

The ``time_`` benchmarks do the work of many draws, so that they can be compared; the ``track_`` benchmarks
say what one uniform, one variate or one clinician-year costs.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from asmrisk.simulation.counts import make_binomial_scratch
from asmrisk.simulation.participation import BATCH_SLOTS
from suite import drivers
from suite.common import SIZES, Benchmark, seconds
from suite.workload import Prepared

#: Batches that a transform works through, again and again.
_BATCHES = 32


class Streams(Benchmark):
    """Uniforms of the keyed generator."""

    threshold = 1.2

    def setup(self) -> None:
        super().setup()
        n = _BATCHES * BATCH_SLOTS
        self.practice = np.arange(n)
        self.base = np.arange(n) % 3
        self.key = np.array([1, 2], np.uint64)
        self.out = np.zeros((4, BATCH_SLOTS))
        self.repeats = SIZES.times(6000)
        drivers.uniforms(self.practice, self.base, self.key, self.out, 1)

    def time_uniforms(self) -> None:
        drivers.uniforms(self.practice, self.base, self.key, self.out, self.repeats)

    def track_nanoseconds_per_uniform(self) -> float:
        taken = min(seconds(self.time_uniforms) for _ in range(SIZES.rounds))
        return 1e9 * taken / (4 * _BATCHES * BATCH_SLOTS * self.repeats)

    track_nanoseconds_per_uniform.unit = "ns"  # type: ignore[attr-defined]


class Transforms(Benchmark):
    """Variates from uniforms, with the parameters that the baseline meets."""

    params = ("normal", "lognormal", "probability", "poisson", "binomial")
    param_names = ("variate",)
    threshold = 1.2
    _TIMES: ClassVar = {
        "normal": 3000,
        "lognormal": 2500,
        "probability": 3000,
        "poisson": 1000,
        "binomial": 1000,
    }

    def setup(self, variate: str) -> None:
        super().setup()
        rng = np.random.default_rng(1)
        n = _BATCHES * BATCH_SLOTS
        self.uniform = rng.random(n)
        self.mean = np.exp(rng.normal(4.5, 1.0, n))
        self.trials = rng.poisson(self.mean).astype(float)
        self.rate = rng.beta(6.0, 1.0, n)
        self.out = np.zeros(BATCH_SLOTS)
        self.scratch = make_binomial_scratch(BATCH_SLOTS)
        self.repeats = SIZES.times(self._TIMES[variate])
        self._transform(variate, 1)

    def _transform(self, variate: str, repeats: int) -> None:
        match variate:
            case "normal":
                drivers.normals(self.uniform, self.out, repeats)
            case "lognormal":
                drivers.lognormals(self.uniform, self.out, repeats)
            case "probability":
                drivers.probabilities(self.uniform, self.out, repeats)
            case "poisson":
                drivers.poissons(self.uniform, self.mean, self.out, repeats)
            case "binomial":
                drivers.binomials(self.uniform, self.trials, self.rate, self.out, self.scratch, repeats)

    def time_variates(self, variate: str) -> None:
        self._transform(variate, self.repeats)

    def track_nanoseconds_per_variate(self, variate: str) -> float:
        taken = min(seconds(lambda: self.time_variates(variate)) for _ in range(SIZES.rounds))
        return 1e9 * taken / (_BATCHES * BATCH_SLOTS * self.repeats)

    track_nanoseconds_per_variate.unit = "ns"  # type: ignore[attr-defined]


class Steps(Benchmark):
    """The steps of a draw, over all clinicians and years of one draw."""

    params = drivers.STEPS
    param_names = ("step",)
    threshold = 1.2
    #: How often a step is repeated to take a time that can be compared.
    _TIMES: ClassVar = {"enrollment": 40, "observation": 8, "scoring": 20, "payment": 150, "recording": 60}

    def setup(self, step: str) -> None:
        super().setup()
        self.draw = Prepared()
        self.repeats = SIZES.times(self._TIMES[step])
        self._repeat(step, 1)

    def _repeat(self, step: str, repeats: int) -> None:
        draw, code = self.draw, drivers.STEPS.index(step)
        for cohort, (work, record) in enumerate(zip(draw.works, draw.records, strict=True)):
            drivers.repeat_step(code, draw.model.inputs, cohort, work, record, repeats)

    def time_step(self, step: str) -> None:
        self._repeat(step, self.repeats)

    def track_nanoseconds_per_clinician_year(self, step: str) -> float:
        taken = min(seconds(lambda: self.time_step(step)) for _ in range(SIZES.rounds))
        return 1e9 * taken / (self.draw.measured * self.repeats)

    track_nanoseconds_per_clinician_year.unit = "ns"  # type: ignore[attr-defined]
