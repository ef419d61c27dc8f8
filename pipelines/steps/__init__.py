"""The use cases, one module each: fetch, prepare, simulate, fit, resample, rebuild. None of them knows Dagster.

A step takes what it needs of a study and its lake and leaves a version of a dataset there, or the warehouse.
"""
