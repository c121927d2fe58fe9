# Everything happens in .venv, which the first target makes; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the demonstration runs; CI makes it smaller.
DEMO ?=
# Options of the benchmarks, such as --only short --repeats 5.
BENCH ?=

export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help setup dev demo count test test-slow lint format bench bench-engine bench-methods bench-searches bench-intervals soak clean

help:
	@echo "make setup   install fivefold into $(VENV)"
	@echo "make demo    run the quickstart study and show its leaderboard"
	@echo "make test    format, lint, types and the tests but the slow ones"
	@echo "make test-slow   the tests that take long: clusters of several nodes, deaths of Ray, kills"
	@echo "make count   rooms, floors, files and lines of the package"
	@echo "make format  put the code into its format"
	@echo "make soak    try every fault at length, and memory for half an hour; takes an hour or two"
	@echo "make bench   measure it against its peers into benchmarks/RESULTS.md; takes hours"
	@echo "             (its parts: bench-engine, bench-methods, bench-searches, bench-intervals; BENCH=... are their"
	@echo "             options)"
	@echo "make clean   remove $(VENV) and caches; results stay"

setup: $(VENV)/setup.done
dev: $(VENV)/dev.done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "fivefold needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/setup.done: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/dev.done: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/setup.done

demo: setup
	$(BIN)/fivefold run experiments/quickstart.yaml $(DEMO)

count: dev
	$(BIN)/python -m tests.house

lint: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" $(PYTEST)

test-slow: dev
	$(BIN)/python -m pytest -m slow $(PYTEST)

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bench.done: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@ $(VENV)/setup.done

bench: bench-engine bench-methods bench-searches bench-intervals

bench-engine: $(VENV)/bench.done
	$(BIN)/python -m benchmarks.engine $(BENCH)

soak: dev
	FIVEFOLD_SOAK=1 $(BIN)/python -m pytest tests/faults -s --timeout=3600 --durations=0 --hypothesis-show-statistics $(PYTEST)

bench-methods: $(VENV)/bench.done
	$(BIN)/python -m benchmarks.methods $(BENCH)

bench-searches: $(VENV)/bench.done
	$(BIN)/python -m benchmarks.searches $(BENCH)

bench-intervals: $(VENV)/bench.done
	$(BIN)/python -m benchmarks.intervals $(BENCH)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
