"""Long trials of what must hold on any day: kills, crowds and damaged input, each to be repeated by its seed.

    PYTHONPATH=.:tests .venv/bin/python -m stress --help

The suite runs a few rounds of each; what whole trials came to is written in ``docs/reliability.md``.
"""
