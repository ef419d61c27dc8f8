"""The warehouse: the SQL models, what they see of the lake, their audit, and how the published file is read.

When it is rebuilt belongs in ``steps``; what a table holds is declared in ``sd_core.schemas``.
"""
