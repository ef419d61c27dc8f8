"""Dagster over the domain: assets by layer, partitions, checks, jobs, the schedule and the command line.

What a number means belongs in ``sd_core`` or in ``sql``; here it is decided when it is computed and where it is kept.
"""
