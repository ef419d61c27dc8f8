# Every target does its own set-up; .venv is rebuilt whenever the pinned versions change.
PYTHON ?= python3
STUDY ?= studies/demo.yaml
READY := .venv/.ready
# What more than one machine needs is installed where it is asked for.
CLUSTER := .venv/.cluster

.PHONY: run test test-deploy coverage ui lint lint-code audit bench stress clean

run: $(READY)
	.venv/bin/sdlab run --study $(STUDY)

ui: $(READY)
	.venv/bin/sdlab ui --study $(STUDY)

# Lint runs beside the tests, on what they leave idle: where one waits for what another compiles, and towards their end.
# What it says comes last. Either fails the target. Its list of words is one of the tests.
test: $(READY)
	@said=$$(mktemp); nice -n 19 $(MAKE) --no-print-directory lint-code >"$$said" 2>&1 & lint=$$!; \
	.venv/bin/pytest -n logical --dist worksteal; tests=$$?; \
	wait $$lint; lint=$$?; echo; cat "$$said"; rm "$$said"; exit $$((tests || lint))

# A cluster on the loopback: processes that start, die and come back, two minutes of them. No part of `make test`.
test-deploy: $(CLUSTER)
	.venv/bin/pytest -n 2 --dist loadfile tests/deploy

# Which lines of Python the tests run. Not a part of `make test`: before Python 3.12 every line is traced, which makes
# tests of much Python two to three times as slow.
coverage: $(READY)
	.venv/bin/pytest -n logical --dist worksteal --cov --cov-report=term:skip-covered

lint: lint-code
	.venv/bin/pytest --quiet -p no:cacheprovider tests/docs/test_words.py

lint-code: $(READY)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/codespell
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo --no-cache

# Known vulnerabilities of the pinned versions, of which OSV's server is asked: skipped where it cannot be reached. With a
# copy of its database no network is needed: make audit DATABASE=all.zip
audit: $(READY)
	.venv/bin/python .ci/audit.py $(if $(DATABASE),--database $(DATABASE))

# The tables of docs/benchmarks.md, some minutes; make bench JSON=figures.json writes the figures too.
bench: $(READY)
	.venv/bin/python -m benchmarks $(if $(JSON),--json $(JSON))

# An hour of kills, crowds and damaged input; docs/reliability.md says what they came to. One alone: make stress TRIAL=csv
stress: $(READY)
	PYTHONPATH=.:tests .venv/bin/python -m stress $(TRIAL)

clean:
	rm -rf .venv .venv.lock .benchmarks .coverage .dagster .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "SD Lab needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) benchmarks/installation.py .venv $@ pyproject.toml constraints.txt -- --constraint constraints.txt --editable '.[dev]'

$(CLUSTER): $(READY)
	$(PYTHON) benchmarks/installation.py --upon $(READY) .venv $@ pyproject.toml constraints.txt -- \
	  --constraint constraints.txt --editable '.[cluster]'
