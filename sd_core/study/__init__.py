"""The study: what is to be simulated, on which prices, and with which rules.

``loading`` reads and validates a file, ``model`` is what comes of it.
"""
