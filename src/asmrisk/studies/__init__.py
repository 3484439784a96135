"""Sensitivity studies: a scenario simulated again and again with some of its parameters varied.

A study is a TOML file: a base scenario, what to vary and over which values (`factors`), by which plan
(`designs`), and which metrics to look at (`study_metrics`). Every design point is a scenario of its own; all
points share their draws.
"""
