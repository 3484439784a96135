"""The simulated field: random streams, participation, attributes, observation, draws, and their results.

Kernels take the same arguments everywhere, so they are described once, here:

=============  ==============================================================================================
``inputs``     `KernelInputs`: everything that a draw depends on besides its number.
``draw``       `CohortDraw`: the part of it that one cohort of one draw reads.
``key``        uint64 (2,): the lower and the upper half of the seed.
``cohort``     Code of the cohort, a position in `asmrisk.rule.definitions.COHORTS`.
``year``       Calendar year counted from the first performance year, unless it is said to be a calendar year.
``entry``      Year in which a clinician enters, counted in the same way.
``slot``       Clinician slot, from 0: always held by one active clinician, one *generation* after the other.
``base``       Counter word of a clinician: cohort and generation (`asmrisk.simulation.keys.stream`).
``field``      `Field`: every clinician of a cohort in a draw, numbered by year of entry, then by slot.
``batch``      `Batch`: the clinicians of some neighboring slots, worked on together; a *row* is one of them.
``present``    `Present`: the rows that a year is simulated for.
``measured``   `Measured`: which positions the batch's measured clinicians of a year take.
``out``        `Observations`: what is observed, by year and *position* among the measured of the cohort.
``prior``      `RosterPrior`: what is known of a user's own clinicians.
``n_roster``   How many of the first rows are a roster's clinicians, whose state starts from the prior.
``u``          float64 (4, rows): the uniforms of one block of decisions, see `asmrisk.simulation.keys`.
``n``, ``m``   How many items of the arrays count, which may be longer: clinicians, and measured clinicians.
=============  ==============================================================================================

A normal score is the standard normal quantile of a probability. Scores are oriented so that a low one is bad.
"""
