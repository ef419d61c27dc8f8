"""The command line: one module per command, and what a person reads of it.

What a command does belongs in ``steps``; how Dagster runs it in ``orchestration``.
"""
