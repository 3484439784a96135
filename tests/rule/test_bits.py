"""The bits of the rule: compiled or not, whatever the capacity and what scratch held."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asmrisk.rule.arrays import (
    make_environment,
    make_observed,
    make_scored,
    make_scratch,
)
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.declarations import POLICY
from asmrisk.rule.policy import POLICY_DTYPE, policy_records
from tests.rule.fields import mixed_field, policy, score

VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"tie_rule": "mid", "missing_category": "median_points", "exchange_function": "linear"},
    {
        "tie_rule": "lower",
        "quality_peer_group": "specialty",
        "cost_peer_group": "specialty",
        "payment_peer_group": "specialty",
        "adjustment_cap": 0.01,
        "cap_excess": "redistributed",
        "minimum_reporters": 2,
    },
    {"quality_collection_types": "together", "exchange_function": "none", "missing_measure": "excluded"},
    {
        "quality_peer_group": "region",
        "cost_peer_group": "practice_size",
        "payment_peer_group": "aco",
        "minimum_reporters": 2,
        "aco_participants": "attesting",
        "failed_submission": "no_adjustment",
    },
    {"payment_peer_group": "region", "aco_participants": "exempt", "adjustment_cap": "risk_level"},
    {"quality_benchmarks": "fixed", "missing_category": "neutral", "zero_scorers": "outside_pool"},
)


def digest() -> str:
    """Hash every bit that the rule gives for fields of several sizes under several policies."""
    bits = hashlib.sha256()
    edges = np.sort(-np.random.default_rng(0).random(POLICY_DTYPE["fixed_edges"].shape))
    for variant in VARIANTS:
        values = POLICY.defaults().replace(**{f"policy.{name}": value for name, value in variant.items()})
        record = policy_records(values, edges)[0]
        for n in (1, 40, 700):
            scored, environment = score(mixed_field(n, n), record, 1)
            for array in (*scored, *environment):
                bits.update(array.tobytes())
    return bits.hexdigest()


def test_uncompiled_kernels_give_the_same_bits_without_a_warning() -> None:
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("nothing is compiled here")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "from tests.rule.test_bits import digest; print(digest())"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest()


@pytest.mark.parametrize("variant", VARIANTS[:-1])
def test_neither_capacity_nor_what_scratch_held_changes_a_bit(variant: dict[str, Any]) -> None:
    n, record = 300, policy(**variant)
    observed = mixed_field(n, 0)
    plain, reference = score(observed, record, 1)
    roomy = make_observed(n + 50)
    for mine, theirs in zip(roomy, observed, strict=True):
        mine[...] = 7
        mine[..., :n] = theirs
    scored, environment, scratch = make_scored(n + 50), make_environment(), make_scratch(n + 50)
    for array in (*scored, *environment, *scratch[:-1], *scratch.order):
        array[...] = 3
    score_cohort(record, 1, roomy, n, scored, environment, scratch, False)
    for mine, theirs in zip(scored, plain, strict=True):
        assert mine[..., :n].tobytes() == theirs.tobytes()
        assert (mine[..., n:] == 3).all()
    for mine, theirs in zip(environment, reference, strict=True):
        assert mine.tobytes() == theirs.tobytes()
