"""What is stored for a study: where it lies, what it answers, and whether it still does.

How it is computed belongs in ``steps``.
"""
