"""Selection: is the best of many scenarios better than buy-and-hold, or lucky?

Pure formulas, from returns to p-values. Which scenarios are compared, and what was tried before, belongs in
``pipelines``.
"""
