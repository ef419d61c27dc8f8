"""Dagster and nothing else: assets, checks, jobs, schedules and the records of runs.

What the assets do belongs in ``steps``, which know nothing of Dagster.
"""
