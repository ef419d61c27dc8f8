"""The simulation of Synthetic Dividend portfolios: rules, the compiled engine, and what it returns.

``rules`` resolves a study into the numbers that one scenario runs on, ``kernel`` is what is compiled, ``engine`` runs
many scenarios over one panel, ``results`` names the rows that come out. Prices and sessions belong in ``market``;
``docs/simulation.md`` defines the semantics.
"""
