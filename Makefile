# Every target does its own set-up; .venv is made anew whenever the pinned versions change.
PYTHON ?= python3
STUDY ?= studies/demo.yaml
READY := .venv/.ready

.PHONY: run test ui lint bench clean

run: $(READY)
	.venv/bin/sdlab run --study $(STUDY)

ui: $(READY)
	.venv/bin/sdlab ui --study $(STUDY)

test: lint
	.venv/bin/pytest -n logical --dist worksteal

lint: $(READY)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# The tables of docs/benchmarks.md, some minutes; make bench JSON=figures.json writes the figures too.
bench: $(READY)
	.venv/bin/python -m benchmarks $(if $(JSON),--json $(JSON))

clean:
	rm -rf .venv .benchmarks .dagster .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "SD Lab needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
