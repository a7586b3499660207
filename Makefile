# Two commands are all a newcomer needs:  make demo   and   make test
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then echo $$p; exit; fi; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Test processes; each computes with one thread.
JOBS ?= $(shell nproc)
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help install demo test test-all check lint types format docs-check clean

help:
	@echo 'make demo      install, distil on synthetic scenes, evaluate, export, write work_dirs/demo/report.html'
	@echo 'make test      every test but the slow ones        make test-all  all tests'
	@echo 'make check     lint, types, imports and the tests under 2 minutes'
	@echo 'make install   only the environment in .venv       make format    let ruff rewrite the sources'

install: $(STAMP)

# One resolution for everything, then the OpenCV that needs no display on top (both wheels write the same folder).
$(STAMP): requirements.txt constraints.txt setup.py
	@$(PYTHON) pointkd/core/machine.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt -e .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
		$$(grep -o '^opencv-python-headless==[0-9.]*' requirements.txt)
	@touch $(STAMP)

demo: install
	$(BIN)/pointkd demo

test: install
	$(PYTEST) -m 'not slow' -n $(JOBS)

test-all: install
	$(PYTEST) -n $(JOBS)

check: lint types
	$(PYTEST) -m 'not slow and not long' -n $(JOBS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --config pyproject.toml

types: install
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf work_dirs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
