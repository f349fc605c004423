# Everything a fresh machine needs is `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The peers of `make bench` are large and nothing else needs them, so they are not among these.
EXTRAS := bybit calendars dask dev notebook yahoo

.PHONY: run test lint bench viz notebook lock clean clean-cache help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
		|| { echo "Python 3.11 or 3.12 is needed; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

run: $(INSTALLED)  ## the full reproduction: prices in, report out
	$(BIN)/kedro run

test: lint  ## everything that CI checks
	$(BIN)/pytest -n 2 --dist loadgroup

lint: $(INSTALLED)  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## speed beside peers, into docs/performance.md; hours, on free cores
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock --editable '.[bench]'
	$(BIN)/python benchmarks/run.py $(BENCH)

viz: $(INSTALLED)  ## lineage in the browser
	$(BIN)/kedro viz run

notebook: $(INSTALLED)  ## run the notebook again on the latest results
	$(BIN)/jupyter execute --inplace notebooks/results.ipynb

lock: $(INSTALLED)  ## write requirements.lock anew from pyproject.toml
	$(BIN)/pip-compile --quiet $(EXTRAS:%=--extra=%) --strip-extras --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file requirements.lock pyproject.toml
	@# A build label names one machine's wheel; the release number fits every build.
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock

clean-cache:  ## forget finished folds and trials
	rm -rf data/cache data/*/cache

clean:  ## remove the environment and everything that runs have made; data/01_raw is yours
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .viz
	find data -mindepth 1 -maxdepth 1 ! -name .gitkeep ! -name 01_raw -exec rm -rf {} +
