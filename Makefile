# Sets up everything from a bare clone. Needs Python 3.11 to 3.13 and make.
.DEFAULT_GOAL := help
.PHONY: help run invoke sam test lint-code lint-templates test-long test-localstack test-delivery test-sam test-pythons lint checkov sizes costs up down deploy destroy image clean lock
.PHONY: permissions audit release promote pipelines smoke drift accept-answers deliver-local sbom lint-workflows

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && { echo $$python; break; }; done)
BIN := .venv/bin
UV := $(BIN)/uv
SAM := build/sam/bin/sam
CHECKOV := build/checkov/bin/checkov
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

EVENT ?=
CALLS ?= 1
invoke: .venv/run.stamp build/sam/stamp  ## calls one function by itself, without Docker: FUNCTION=govern [EVENT=file] [CALLS=2]
	@test -n "$(FUNCTION)" || { echo "Name a function: make invoke FUNCTION=govern" >&2; exit 2; }
	@$(BIN)/python -m infra.local.invocation "$(FUNCTION)" $(if $(EVENT),--event "$(EVENT)") --calls $(CALLS)

sam: .venv/run.stamp build/sam/stamp  ## builds what AWS gets, for `build/sam/bin/sam local ...`; needs Docker only then
	PATH="$(CURDIR)/$(BIN):$$PATH" $(SAM) build

# Two processes, by file; tests of the local cloud start processes of their own. Hypothesis draws the same examples in each
# run, so that a commit passes or does not; pytest alone draws new ones.
TWO := --numprocesses 2 --dist loadfile --hypothesis-profile ci
test:  ## runs all checks and all tests
	@$(MAKE) --no-print-directory --jobs 2 lint-code lint-templates checkov
	$(BIN)/pytest tests/unit tests/contract tests/integration -m "not long" $(TWO)
	rm -rf build/permissions/not-delivery
	$(BIN)/pytest tests/e2e -m "not delivery"
	@$(BIN)/python -m infra.local.permissions_report --check --of not-delivery
	@echo "LOCALSTACK WAS NOT TESTED: \`make test-localstack\` does that, in four to ten minutes." >&2
	@echo "LONG TESTS WERE LEFT OUT: \`make test-long\` runs them, in two to three minutes." >&2
	@echo "THE DELIVERY WAS NOT TESTED: \`make test-delivery\` does that, in ten to fifteen minutes." >&2

lint: lint-code lint-templates  ## runs ruff, mypy, import-linter, cfn-lint, sam validate

lint-code: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy layers/modelcycle/modelcycle cli infra functions bench
	$(BIN)/lint-imports

lint-templates: .venv/dev.stamp build/sam/stamp
	$(BIN)/cfn-lint template.yaml infra/*.yaml infra/delivery/*.yaml
	@.ci/lint-workflows
	$(SAM) validate --lint --region us-east-1 --template template.yaml

checkov: build/checkov/stamp  ## checks the templates by the rules of checkov; .checkov.yaml says what it skips, and why
	$(CHECKOV) --config-file .checkov.yaml

sizes: .venv/dev.stamp  ## builds the layers as AWS gets them; prints each function with its layers, and fails above 250 MiB
	$(BIN)/pytest tests/integration/test_sizes.py --quiet --capture=no

test-long: .venv/dev.stamp  ## runs the tests of many seconds that `make test` leaves out
	$(BIN)/pytest tests/unit tests/contract -m long $(TWO)

test-localstack: .venv/dev.stamp  ## runs the lifecycle on a real LocalStack, which it starts without Docker
	$(BIN)/pytest tests/localstack

test-delivery: .venv/dev.stamp  ## delivers to two local stacks, as deliver.yml does to AWS; broken code is refused; stacks leave
	rm -rf build/permissions/delivery
	$(BIN)/pytest tests/delivery tests/e2e -m delivery
	@$(BIN)/python -m infra.local.permissions_report --check --of delivery

test-sam: .venv/dev.stamp build/sam/stamp  ## calls every function by itself, and by `sam local` where there is Docker; DOCKER=no: without
	DOCKER="$(DOCKER)" $(BIN)/pytest tests/sam

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
# parameters of the template; docs/deploy.md
SETTINGS_dev := TrafficShift=AllAtOnce
SETTINGS_staging := TrafficShift=Linear10PercentEvery1Minute
SETTINGS_prod := LogDays=365 TrafficShift=Canary10Percent10Minutes
ALARM_EMAIL ?=
WITH ?=
KEPT ?=
SETTINGS = $(SETTINGS_$(ENVIRONMENT)) $(WITH) $(if $(ALARM_EMAIL),AlarmEmail=$(ALARM_EMAIL))
deploy: export GIVEN = $(SETTINGS)
deploy: .venv/run.stamp build/sam/stamp  ## deploys to AWS with your AWS profile; ENVIRONMENT=dev|staging|prod, ALARM_EMAIL=...
	@$(BIN)/python -m infra.deployment.deploy $(ENVIRONMENT) --settings "$$GIVEN" --kept "$(KEPT)"

DATA ?=
UNPROTECT ?=
destroy: .venv/run.stamp  ## deletes a stack from AWS, names what stays; ENVIRONMENT=..., DATA=modelcycle-dev deletes its data too
	@$(if $(filter file,$(origin ENVIRONMENT)),echo "Which one? make destroy ENVIRONMENT=dev" >&2; exit 1,:)
	@$(BIN)/python -m infra.deployment.destroy $(ENVIRONMENT) --data "$(DATA)" --unprotect "$(UNPROTECT)" $(if $(YES),--yes)

# SAM reads another variable than the AWS command line does
ifneq ($(AWS_REGION),)
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

# A release is built once, and taken from environment to environment as it is (docs/delivery.md).
RELEASE := build/release
RELEASE_BUCKET ?=
release: .venv/run.stamp build/sam/stamp  ## builds a release and uploads it; RELEASE_BUCKET=...
	@test -n "$(RELEASE_BUCKET)" || { echo "Where to? make release RELEASE_BUCKET=..., see docs/delivery.md" >&2; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(SAM) build
	@mkdir -p $(RELEASE)
	$(SAM) package --s3-bucket $(RELEASE_BUCKET) --output-template-file $(RELEASE)/template.yaml
	@$(BIN)/python -m infra.delivery.packaged $(RELEASE)

promote: export GIVEN = $(SETTINGS)
promote: .venv/run.stamp build/sam/stamp  ## deploys the release in build/release as it is; ENVIRONMENT=..., RELEASE_BUCKET=...
	@$(BIN)/python -m infra.delivery.promote $(ENVIRONMENT) $(RELEASE) --bucket "$(RELEASE_BUCKET)" \
	  --role "$(CLOUDFORMATION_ROLE)" --settings "$$GIVEN" --kept "$(KEPT)"

smoke: .venv/run.stamp  ## takes a small model through the lifecycle of a stack on AWS; ENVIRONMENT=...
	@$(BIN)/python -m infra.delivery.smoke modelcycle-$(ENVIRONMENT)

pipelines: .venv/run.stamp  ## uploads changed pipeline files to a stack on AWS and starts their runs; ENVIRONMENT=...
	@$(BIN)/python -m infra.delivery.pipelines modelcycle-$(ENVIRONMENT)

drift: .venv/run.stamp  ## reports what in a stack on AWS is not as its template says; ENVIRONMENT=...
	@$(BIN)/python -m infra.delivery.drift modelcycle-$(ENVIRONMENT)

MODEL ?=
VERSION ?=
WHY ?=
DEPLOYED ?=
accept-answers: export REASON = $(WHY)
accept-answers: .venv/run.stamp  ## new code may answer otherwise for a version; ENVIRONMENT=...|local MODEL=... VERSION=... WHY="..."; then DEPLOYED=yes
	@$(BIN)/python -m infra.delivery.accept_answers $(if $(filter local,$(ENVIRONMENT)),local,modelcycle-$(ENVIRONMENT)) \
	  "$(MODEL)" "$(VERSION)" $(if $(DEPLOYED),--deployed,"$$REASON")

deliver-local: .venv/run.stamp  ## the whole delivery here: one release to two stacks, dev and prod; a broken one is refused
	@$(BIN)/python -m infra.delivery.local

permissions: .venv/run.stamp  ## prints each function's permissions beside what the tests have used; CHECK=yes fails if one is neither used nor explained
	@$(BIN)/python -m infra.local.permissions_report $(if $(CHECK),--check)

sbom: build/sbom-tools/stamp  ## writes what each layer is made of to build/sbom, as CycloneDX
	@mkdir -p build/sbom
	@for layer in modelcycle data learning serving sources policy; do \
	  build/sbom-tools/bin/cyclonedx-py requirements layers/$$layer/requirements.txt --output-reproducible \
	    --output-file build/sbom/$$layer.cdx.json || exit 1; done
	@build/sbom-tools/bin/cyclonedx-py requirements requirements.txt --output-reproducible \
	  --output-file build/sbom/laptop.cdx.json
	@echo "build/sbom: what the layers and the command line are made of, as CycloneDX"

audit: .venv/run.stamp build/audit/stamp  ## looks up the packages of the layers in the database of known vulnerabilities; says so if there is none
	@$(BIN)/python -m infra.delivery.audit

lint-workflows:  ## checks .github/workflows by actionlint, where it is here
	@.ci/lint-workflows

# The tag is the CodeVersion of the deployed stack: its state machines name it. A tag is never moved.
image: .venv/run.stamp  ## builds the container for large data and pushes it to the stack's repository; needs Docker; ENVIRONMENT=...
	@set -e; stack=modelcycle-$(ENVIRONMENT); \
	query() { aws cloudformation describe-stacks --stack-name $$stack --output text --query "Stacks[0].$$1"; }; \
	repository=$$(query "Outputs[?OutputKey=='ImageRepository'].OutputValue"); \
	tag=$$(query "Parameters[?ParameterKey=='CodeVersion'].ParameterValue"); \
	test "$$repository" != none || { echo "The stack $$stack has no containers: deploy it with LargeTraining=fargate or sagemaker (docs/large-data.md)." >&2; exit 1; }; \
	case " $$($(BIN)/python -m infra.code_version) " in *" CodeVersion=$$tag "*) ;; \
	  *) echo "The code here is not what $$stack runs, which is $$tag: switch to the commit that was deployed, without other files in functions/ and layers/, or deploy this one." >&2; exit 1;; esac; \
	if aws ecr describe-images --repository-name "$${repository#*/}" --image-ids imageTag="$$tag" >/dev/null 2>&1; then \
	  echo "$$repository has the image of this code: $$tag"; exit 0; fi; \
	aws ecr get-login-password | docker login --username AWS --password-stdin "$${repository%%/*}"; \
	docker build --platform linux/amd64 --file infra/container/Dockerfile --build-arg CODE_VERSION="$$tag" --tag "$$repository:$$tag" .; \
	docker push "$$repository:$$tag"

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
	$(COMPILE) requirements-checkov.in -o requirements-checkov.txt
	$(COMPILE) requirements-clients.in -o requirements-clients.txt
	$(COMPILE) requirements-verifiers.in -o requirements-verifiers.txt
	$(COMPILE) requirements-delivery.in -o requirements-delivery.txt
	$(COMPILE) requirements-audit.in -o requirements-audit.txt
	# by the packages of that release's time: newer ones have broken it. Not universal: for Python 3.14 nothing fits.
	$(filter-out --universal,$(subst 3.11,3.12,$(COMPILE))) --exclude-newer 2026-03-05 requirements-localstack.in \
	  -o requirements-localstack.txt
	for layer in infra/local/runtime layers/modelcycle layers/learning; do \
	  $(COMPILE) $$layer/requirements.in -c requirements.txt -o $$layer/requirements.txt || exit 1; done
	for layer in layers/data layers/serving layers/sources layers/policy; do \
	  $(COMPILE) $$layer/requirements.in -c requirements.txt -c layers/learning/requirements.txt \
	    -o $$layer/requirements.txt || exit 1; done
	$(COMPILE) requirements-dev.in -c requirements.txt -c layers/learning/requirements.txt \
	  -c layers/data/requirements.txt -c layers/serving/requirements.txt -c layers/sources/requirements.txt \
	  -c layers/policy/requirements.txt -o requirements-dev.txt

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

# The public tools that check and open an exported version, for the tests of `export`.
build/verifiers/stamp: $(UV) requirements-verifiers.txt
	@$(UV) venv --quiet --clear build/verifiers
	@$(UV) pip sync --quiet --require-hashes --python build/verifiers/bin/python requirements-verifiers.txt
	@touch $@

build/sbom-tools/stamp: $(UV) requirements-delivery.txt
	@$(UV) venv --quiet --clear build/sbom-tools
	@$(UV) pip sync --quiet --require-hashes --python build/sbom-tools/bin/python requirements-delivery.txt
	@touch $@

# the folder also has what `modelcycle up` writes for `sam local`
build/sam/stamp: $(UV) requirements-sam.txt
	@$(UV) venv --quiet --allow-existing build/sam
	@$(UV) pip sync --quiet --require-hashes --python build/sam/bin/python requirements-sam.txt
	@touch $@

build/audit/stamp: $(UV) requirements-audit.txt
	@$(UV) venv --quiet --clear build/audit
	@$(UV) pip sync --quiet --require-hashes --python build/audit/bin/python requirements-audit.txt
	@touch $@

build/checkov/stamp: $(UV) requirements-checkov.txt
	@$(UV) venv --quiet --clear build/checkov
	@$(UV) pip sync --quiet --require-hashes --python build/checkov/bin/python requirements-checkov.txt
	@touch $@
