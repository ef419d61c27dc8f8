"""The domain of SD Lab: studies, prices, simulations, the lake and the declarations of the published tables.

Nothing here knows Dagster or SQL, so a notebook can load a study, build a panel and simulate it with this package
alone. Orchestration belongs in ``pipelines``, questions about results in ``sql``.
"""
