"""Studies from Python: what ``sd_core.open`` returns, for notebooks and scripts.

Tables come as pandas frames and charts as the report draws them. How a scenario is simulated belongs in ``steps``, what
is stored for a study in ``lab``; commands belong in ``cli``.
"""
