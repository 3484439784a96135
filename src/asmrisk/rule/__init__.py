"""The regulation as arithmetic: 42 CFR part 512 subpart G, one module per section.

Arrays and a policy in, arrays out; no randomness, no files, no labels. `cohort.score_cohort` puts the
sections together for one cohort and performance year.
"""
