"""Who the clinicians are: the synthetic field and the constants that fit it to published statistics.

Data flow one way::

    published tables -> quantiles -> calibration -> records -> preparation -> simulation
            |                                          ^  |                       ^
            +------> values of parameters -------------+  v                       |
                                     roster -> roster_posterior ------------------+

* `asmrisk.scenario` declares the parameters and reads the shipped tables, from which defaults come.
* `quantiles` makes a quantile function of published percentiles: one uniform number becomes one variate, so
  that a reform and its baseline share their random numbers.
* `calibration` solves, by quadrature, for the constants with which the field's averages are those published.
* `records` packs everything into one record per cohort (`population_records`), `behavior` into one per
  calendar year (`behavior_records`).
* `preparation` does this for a scenario, reads its roster, and tells all that is wrong.
* `roster` reads the user's own clinicians, `roster_practices` finds who works together; `roster_posterior`
  and `roster_habits` learn from their past, given the records, what takes the place of the distributions of
  synthetic clinicians: jointly over colleagues and neighbors (`joint_inference` has the mathematics of sites
  and shared parts, `roster_beliefs` what clinicians tell of practices and areas, `roster_inference`
  expectation propagation over it, `roster_shared` what is then known of practices, `roster_evidence` the
  likelihoods of known numbers). `latents` says in which rows of arrays.

A cohort is a fixed number of slots, each always held by one active clinician: who leaves on 1 January is
followed by somebody new with attributes, history and luck of its own. A slot's clinician is *measured* in a
year after enough episodes two years earlier, so the number measured is random and stationary, and there are
as many slots as make its mean the number CMS projects. Whatever CMS publishes about *participants* (episodes,
Part B payment, cost per episode) holds in the model among measured clinicians, not among slots.
"""
