"""Price sources behind one protocol, sessions, the panel, and the rules that judge prices.

What a portfolio does with prices belongs in ``simulation``.
"""
