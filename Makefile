# make book    build the whole book (every chapter is executed) and say where to open it
# make test    run every test
# make lab     open the notebooks in JupyterLab
# Each first make an environment in .venv; say VENV=path for another place, PYTHON=python3.12 for another Python.

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN = $(abspath $(VENV))/bin
HTML = _build/html
# One process a core beside the one that builds the book; each test file stays in one process.
PYTEST ?= -n 2 --dist loadfile

# Answers come first: accuracy reads them. The real model takes hours and has a target of its own.
RESULTS = answers $(filter-out answers real,$(notdir $(patsubst %/make.py,%,$(wildcard data/results/*/make.py))))

# The numbers that notebooks show in their text are those of the last build, where there is one.
VALUES = $(if $(wildcard _build/jupyter_execute/book/*.json),--values _build/jupyter_execute/book)

.PHONY: help setup book notebooks test lint lab bench models data results results-assistant lock clean

help:
	@sed -n '1,/^$$/s/^# //p' Makefile; echo
	@echo "more: setup notebooks lint bench models data results results-assistant lock clean"

setup:
	@$(PYTHON) book/_tools/install.py $(VENV)
	@$(BIN)/python -m sgpa_core fetch models --quiet || \
	  echo "without the open weights their tests are skipped, and pages that use them cannot be built"

book: setup
	@$(BIN)/python book/_tools/notebooks.py --check
	@$(BIN)/jupyter-book build . --all -W -n --keep-going
	@echo "Open $(abspath $(HTML))/index.html"

notebooks: setup
	@$(BIN)/python book/_tools/notebooks.py $(VALUES)

test: setup
	@$(BIN)/python -m pytest $(PYTEST)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/mypy

lab: setup
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lab]"
	@$(BIN)/jupyter lab --notebook-dir=notebooks

bench: setup
	@for script in tests/benchmarks/bench_*.py; do $(BIN)/python "$$script"; echo; done

models: setup
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[data]"
	@$(BIN)/python data/models/aligner/train.py
	@$(BIN)/python data/models/aligner/evaluate.py
	@$(BIN)/python data/models/answerer/train.py
	@$(BIN)/python data/models/answerer/evaluate.py

data: setup
	@$(BIN)/python data/speech/make.py
	@$(BIN)/python data/instructions/make.py
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[data]"
	@$(BIN)/python data/questions/make.py

results: setup
	@for make in $(RESULTS:%=data/results/%/make.py); do $(BIN)/python "$$make"; done
	@$(BIN)/python -c 'from sgpa_core.companion import claims, recorded; from collections import Counter; \
	  print(dict(Counter(claims.store().values())) if recorded.available() else \
	  "claim ledger kept as it is: the recorded runs are not at hand (python -m sgpa_core fetch recorded)")'

results-assistant: setup
	@$(BIN)/python data/results/real/frames.py
	@$(BIN)/python data/results/real/make.py
	@for script in measures pieces curves errors; do $(BIN)/python data/results/real/$$script.py; done

lock: setup
	@{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable \
	  | grep -viE '^(nvidia-|cuda-|triton|setuptools|wheel)'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache
