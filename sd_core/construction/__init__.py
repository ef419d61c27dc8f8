"""Portfolio construction: target weights by session from past prices, which strategies then trade.

Arrays and a study's mixes in, Arrow tables out. Solvers take long to import and are known to ``estimates`` and
``optimisers`` alone, which are imported when something is fitted. How targets are traded belongs in ``simulation``.
"""
