# Sets up everything from a bare clone. Needs Python 3.11 to 3.13 and make.
.DEFAULT_GOAL := help
.PHONY: help run test test-localstack test-pythons lint costs up down deploy clean lock

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && { echo $$python; break; }; done)
BIN := .venv/bin
UV := $(BIN)/uv
SAM := build/sam/bin/sam
OWN := pyproject.toml layers/modelcycle/pyproject.toml
DEV := $(wildcard .venv/dev.stamp)
export VIRTUAL_ENV := $(CURDIR)/.venv
export SAM_CLI_TELEMETRY := 0
# the certificate of a company's proxy is in the system's store, not in uv's own
export UV_SYSTEM_CERTS := 1

help:  ## shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp  ## runs the whole lifecycle on the example data; leaves the local cloud running
	@$(BIN)/modelcycle run pipelines/adult-income.yaml --data examples/data/adult.csv.gz
	@$(BIN)/modelcycle predict adult-income --data examples/data/adult.csv.gz --rows 3

test: lint  ## runs all checks and all tests
	# two processes, by file; tests of the local cloud start processes of their own
	$(BIN)/pytest tests/unit tests/contract tests/integration --numprocesses 2 --dist loadfile
	$(BIN)/pytest tests/e2e
	@echo "LOCALSTACK WAS NOT TESTED: \`make test-localstack\` does that, in three to eight minutes." >&2

lint: .venv/dev.stamp build/sam/stamp  ## runs ruff, mypy, import-linter, cfn-lint, sam validate
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy layers/modelcycle/modelcycle cli infra functions bench
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml infra/*.yaml
	$(SAM) validate --lint --region us-east-1 --template template.yaml

test-localstack: .venv/dev.stamp  ## runs the lifecycle on a real LocalStack, which it starts without Docker
	$(BIN)/pytest tests/localstack

# Every Python from 3.11 to 3.13 that uv finds, each in an environment of its own; the others are named.
PYTHONS := 3.11 3.12 3.13
TESTS := tests/unit
test-pythons: $(UV)  ## runs the unit tests on each Python from 3.11 to 3.13 that is here; TESTS=... runs others
	@UV="$(UV)" .ci/test-pythons "$(TESTS)" $(PYTHONS)

costs: .venv/run.stamp  ## writes docs/costs.md from the template and the table of prices
	@mkdir -p build
	@$(BIN)/modelcycle cost pipelines/adult-income.yaml --documented --markdown > build/costs.md
	@mv build/costs.md docs/costs.md

up: .venv/run.stamp  ## starts the local cloud and deploys to it
	@$(BIN)/modelcycle up

down: .venv/run.stamp  ## stops the local cloud; everything in it is kept
	@$(BIN)/modelcycle down

ENVIRONMENT ?= dev
SETTINGS_prod := LogDays=365
ALARM_EMAIL ?=
SETTINGS = $(SETTINGS_$(ENVIRONMENT)) $(if $(ALARM_EMAIL),AlarmEmail=$(ALARM_EMAIL))
deploy: .venv/run.stamp build/sam/stamp  ## deploys to AWS with your AWS profile; ENVIRONMENT=dev|staging|prod, ALARM_EMAIL=...
	@$(if $(filter prod,$(ENVIRONMENT)),$(if $(findstring AlarmEmail=,$(SETTINGS)),:,echo "The alarms of prod would reach nobody: make deploy ENVIRONMENT=prod ALARM_EMAIL=you@example.com" >&2; exit 1),:)
	@test -z "$$(git status --porcelain)" || { echo "There are uncommitted changes: commit them, so that a version can name its code." >&2; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(SAM) build --config-env $(ENVIRONMENT)
	$(SAM) deploy --config-env $(ENVIRONMENT) \
	  --parameter-overrides "Place=aws Environment=$(ENVIRONMENT) $(SETTINGS) BuildSha=$$(git rev-parse HEAD)"
	# no template can say it of its own stack
	@$(if $(filter prod,$(ENVIRONMENT)),$(BIN)/python -m infra.termination_protection modelcycle-$(ENVIRONMENT),:)

clean:  ## stops the local cloud and deletes everything that was made here, models included
	@if [ -x $(BIN)/modelcycle ]; then $(BIN)/modelcycle down || true; $(BIN)/modelcycle down --place localstack || true; fi
	rm -rf .venv .modelcycle .aws-sam build *.egg-info layers/modelcycle/*.egg-info

# Locks have hashes and no URLs; one lock serves all Pythons. Layers use the same versions as the laptop and each other.
COMPILE := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --no-emit-package modelcycle --no-emit-package modelcycle-cli --custom-compile-command "make lock"

lock: $(UV)  ## updates every lock
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-uv.in -c requirements.txt -o requirements-uv.txt
	$(COMPILE) requirements-sam.in -o requirements-sam.txt
	$(COMPILE) requirements-clients.in -o requirements-clients.txt
	# by the packages of that release's time: newer ones have broken it. Not universal: for Python 3.14 nothing fits.
	$(filter-out --universal,$(subst 3.11,3.12,$(COMPILE))) --exclude-newer 2026-03-05 requirements-localstack.in \
	  -o requirements-localstack.txt
	for layer in infra/local/runtime layers/modelcycle layers/learning; do \
	  $(COMPILE) $$layer/requirements.in -c requirements.txt -o $$layer/requirements.txt || exit 1; done
	for layer in layers/data layers/serving layers/sources; do \
	  $(COMPILE) $$layer/requirements.in -c requirements.txt -c layers/learning/requirements.txt \
	    -o $$layer/requirements.txt || exit 1; done
	$(COMPILE) requirements-dev.in -c requirements.txt -c layers/learning/requirements.txt \
	  -c layers/data/requirements.txt -c layers/serving/requirements.txt -c layers/sources/requirements.txt \
	  -o requirements-dev.txt

$(UV): requirements-uv.txt
	@if [ -z "$(PYTHON)" ]; then echo "ModelCycle needs Python 3.11, 3.12 or 3.13 on the PATH." >&2; exit 1; fi
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@touch $(UV)

# Installs exactly the packages of the lock. An environment that has run the tests keeps the packages for them.
.venv/run.stamp: $(UV) requirements.txt $(OWN)
	@$(UV) pip sync --quiet --require-hashes requirements$(if $(DEV),-dev).txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable . --editable layers/modelcycle
	@touch $@

.venv/dev.stamp: $(UV) requirements-dev.txt $(OWN)
	@$(UV) pip sync --quiet --require-hashes requirements-dev.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable . --editable layers/modelcycle
	@touch .venv/run.stamp $@

# Public clients of the API, for the tests of docs/clients.
build/clients/stamp: $(UV) requirements-clients.txt
	@$(UV) venv --quiet --clear build/clients
	@$(UV) pip sync --quiet --require-hashes --python build/clients/bin/python requirements-clients.txt
	@touch $@

build/sam/stamp: $(UV) requirements-sam.txt
	@$(UV) venv --quiet --clear build/sam
	@$(UV) pip sync --quiet --require-hashes --python build/sam/bin/python requirements-sam.txt
	@touch $@
