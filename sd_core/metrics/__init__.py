"""The formulas that Python needs beside SQL, each in one place.

They take arrays and know nothing of studies. Every other metric belongs in ``sql``.
"""
