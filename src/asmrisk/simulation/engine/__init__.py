"""The engine: what is missing of a run's draws is computed, block by block, on threads or on a cluster.

A *simulation* gives the draws, a *store* takes them, an *executor* says on what they are computed. Results
never gather anywhere: who computes a block writes its chunks and its manifest entry.
"""

from asmrisk.simulation.engine.completion import Job, complete
from asmrisk.simulation.engine.executors import Executor, executor, tls_security
from asmrisk.simulation.engine.interruption import Interrupted
from asmrisk.simulation.engine.running import run, run_all, warmup
from asmrisk.simulation.engine.work import ScenarioSimulation, Simulation

__all__ = [
    "Executor",
    "Interrupted",
    "Job",
    "ScenarioSimulation",
    "Simulation",
    "complete",
    "executor",
    "run",
    "run_all",
    "tls_security",
    "warmup",
]
