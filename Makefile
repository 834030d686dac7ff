# Robson. `make demo` shows it, `make test` proves it, `make run` keeps it up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
MINUTES ?= 20
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo run test lint format screenshots bench drills soak mutants explore requirements clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## Create .venv and install the pinned requirements

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Robson needs Python 3.11 or later; try make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing pinned requirements into $(VENV) (about a minute) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Watch both modalities do their job, start to finish (about a minute, after the installation)
	@$(BIN)/python manage.py demo

run: setup ## Keep the whole system up against the simulator
	@$(BIN)/python manage.py runlocal

test: setup ## Run all tests against real servers
	@$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

explore: setup ## The model of the order protocol with other examples than in make test (for as long as it takes)
	@$(BIN)/python -m pytest -n 4 --dist worksteal tests/model --hypothesis-profile=exploring $(ARGS)

lint: setup ## ruff, mypy --strict, import-linter, migrations, deploy checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --fail-level WARNING
	@# A key as a deployment has it: the one on this machine may be older than what is asked of keys today.
	@ROBSON_HTTPS=1 ROBSON_LIVE=1 \
		ROBSON_SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

format: setup ## Let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

PICTURES := journey-1-nothing-yet-desktop-light journey-2-arm-desktop-light \
	journey-3-the-stop-has-moved-desktop-light journey-3-the-stop-has-moved-phone-dark \
	journey-4-its-chart-desktop-light journey-5-close-desktop-light journey-6-what-happened-desktop-light \
	unprotected-desktop-light

screenshots: setup ## Make the pictures of docs/first-hour.md anew (needs a browser)
	@CI=true $(BIN)/python -m pytest -q -n 0 tests/browser/test_journey.py tests/browser/test_desk.py
	@cp $(PICTURES:%=.robson/screenshots/%.png) docs/screenshots/

bench: setup ## Measure trigger to order, frames per second, poll time, memory
	@$(BIN)/python -m benchmarks

drills: setup ## Break everything on purpose, and read the ledger (minutes; ARGS="--list" names the drills)
	@$(BIN)/python -m tests.drills $(ARGS)

soak: setup ## The whole system under random prices, deeds and faults (MINUTES=20, SEED=... to repeat a run)
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

mutants: setup ## Change the order protocol's code, and see that a test fails (hours; ARGS="--sample 50")
	@$(BIN)/python -m tests.mutation $(ARGS)

requirements: ## Recompile the pinned requirements (needs uv)
	uv pip compile -q --no-emit-index-url --generate-hashes --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	uv pip compile -q --no-emit-index-url --generate-hashes --universal --python-version 3.11 -c requirements-dev.txt requirements.in -o requirements.txt

clean: ## Remove what make created, data included
	rm -rf $(VENV) .robson .mypy_cache .ruff_cache .pytest_cache
