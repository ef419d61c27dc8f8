"""Speed, measured side by side with alternatives, by anyone who has the repository.

``market`` makes the prices and rules that every benchmark runs on; ``engines`` compares engines, ``scale`` follows time
and memory as a study grows, ``warehouse`` times the way from prices to tables. What they print is in
``docs/benchmarks.md``. Correctness belongs in ``tests``; nothing here is needed to run a study.
"""
