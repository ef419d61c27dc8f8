"""What is computed from a study's prices in Python because SQL cannot: fits of models, and correlations in bulk.

Arrays and Arrow tables come in and go out. What SQL can express belongs in ``sql``; when a fit is made and where it is
kept belongs in ``pipelines``.
"""
