# Two commands: `make run` and `make test`. Both set up .venv first, once.
PYTHON ?=
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLUSTER := $(VENV)/.cluster
# One more worker than there are cores, up to four: about a third of the time the tests wait.
WORKERS := $(shell n=$$(( $$(nproc 2>/dev/null || echo 3) + 1 )); echo $$(( n < 4 ? n : 4 )))
PARALLEL := -n $(WORKERS) --dist loadfile

.PHONY: run test test-long test-bases test-deletion test-cluster test-postgres lint audit format install coverage faults fuzz soak bench bench-gpu bench-votes bench-watch bench-proof bench-learning learning bench-nights release clean help

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 17

run: $(STAMP)  ## Start fillbot: on Discord with DISCORD_TOKEN, else in the sandbox
	@exec $(BIN)/python -m bot

test: $(STAMP)  ## Run the tests, but for the long ones: within eight minutes on two cores
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not long" --durations=5 --ignore tests/cluster

test-long: $(STAMP)  ## Run what takes long: the chat page in a browser, whole trainings, simulated nights
	$(BIN)/python -m pytest -q $(PARALLEL) -m long --durations=5 --ignore tests/cluster

test-bases: $(STAMP)  ## Train a small base of each family, and take it through the whole loop; FAMILY=roberta picks
	$(BIN)/python -m pytest -q -n $(WORKERS) --durations=10 tests/bases $(if $(FAMILY),-k "$(FAMILY)")

test-deletion: $(STAMP)  ## Delete each feature in a copy: lint and all other tests stay green; FEATURE=quiz ONLY=tests/bot picks
	$(BIN)/python tests/delete_features.py --workers $(WORKERS) --feature "$(FEATURE)" $(ONLY)

test-cluster: $(CLUSTER)  ## Test what runs past one machine: PostgreSQL, S3, Ray; installs what it needs
	$(BIN)/python -m pytest -q tests/cluster
	$(MAKE) --no-print-directory test-postgres ONLY=tests/storage

test-postgres: $(CLUSTER)  ## Run the whole test suite with its databases on PostgreSQL; ONLY=tests/storage picks
	$(BIN)/python tests/on_postgres.py -q $(PARALLEL) --durations=5 --ignore tests/cluster $(ONLY)

lint: $(STAMP)  ## Check style, types and what bandit knows to be unsafe
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml bot storage training

audit: $(STAMP)  ## Look the pinned packages up among known vulnerabilities; needs a network
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

format: $(STAMP)  ## Put the code in shape
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format -q .

coverage: $(STAMP)  ## Run the tests with branch coverage; fails below the threshold in pyproject.toml
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not long" --ignore tests/cluster --cov --cov-report=term-missing:skip-covered

faults: $(STAMP)  ## Break everything on purpose; SEED=7 ONLY=wire,process, TIMES=3 or SHARE=0.33 of the tries
	$(BIN)/python tests/faults/run.py --seed $(or $(SEED),7) --only "$(ONLY)" $(if $(TIMES),--times $(TIMES)) $(if $(SHARE),--share $(SHARE))

soak: $(STAMP)  ## An hour of asking, voting, reloads and trouble; MINUTES=60 SEED=7 RATE=20
	$(BIN)/python tests/soak/run.py --minutes $(or $(MINUTES),60) --seed $(or $(SEED),7) --rate $(or $(RATE),20)

fuzz: $(STAMP)  ## A million inputs for everything that reads; SEED=7 ONLY=queries,registry picks
	$(BIN)/python tests/fuzz/run.py --seed $(or $(SEED),7) --only "$(ONLY)" $(if $(SHARE),--share $(SHARE))
	$(if $(ONLY),,VOTES_STORIES=$(or $(STORIES),100) $(BIN)/python -m pytest -q --timeout 7200 tests/bot/test_votes_model.py)

bench: $(STAMP)  ## Measure speed, half an hour on a quiet machine; ONLY=serving,wire picks parts
	$(BIN)/python tests/benchmarks/bench.py --only "$(ONLY)"

bench-gpu: $(STAMP)  ## Measure training on a GPU, ten minutes at most; FILLBOT_DEVICE=cpu SMALL=1 tries the script
	$(BIN)/python tests/benchmarks/bench.py --only training,devices,night --out gpu.json $(if $(SMALL),--small)

bench-votes: $(STAMP)  ## Time the checks on a million votes
	$(BIN)/python tests/benchmarks/votes.py --votes 1000000

bench-watch: $(STAMP)  ## Simulate false alarms and detections of the watch after promotion
	$(BIN)/python tests/benchmarks/watch.py

bench-proof: $(STAMP)  ## Simulate false promotions and detections of the live proof, and time its answers
	$(BIN)/python tests/benchmarks/proof.py
	PYTHONPATH=.:tests:tests/benchmarks $(BIN)/python tests/benchmarks/proof_latency.py

bench-learning: $(STAMP)  ## Run the missing cells of what votes teach; needs FILLBOT_BASE_MODEL, takes hours on two cores
	$(BIN)/python tests/benchmarks/learning.py run
	$(BIN)/python tests/benchmarks/learning.py losses

learning: $(STAMP)  ## What votes teach next to the aims, and the learning curve, from the cells in cells/
	$(BIN)/python tests/benchmarks/learning.py aims
	$(BIN)/python tests/benchmarks/learning.py curve learning.png

bench-nights: $(STAMP)  ## Thirty nights in a row; needs FILLBOT_BASE_MODEL, takes an hour on two cores
	$(BIN)/python tests/benchmarks/thirty_nights.py run --out nights.jsonl
	$(BIN)/python tests/benchmarks/thirty_nights.py table nights.jsonl --picture nights.png

release: $(STAMP)  ## Check, and build a wheel and an sdist of a clean tree in dist/; uploads nothing
	$(BIN)/python deploy/release.py check
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -q tests/test_release.py
	$(BIN)/python deploy/release.py build

install: $(STAMP)  ## Set up .venv alone

# The first of PYTHONS that is new enough and can make an environment; where none is, uv gets one.
$(STAMP): pyproject.toml constraints.txt
	@for name in $(or $(PYTHON),$(PYTHONS)); do \
	   PY=$$(command -v $$name) && $$PY -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null \
	     && exec $$PY -m venv $(VENV); \
	 done; \
	 if [ -z "$(PYTHON)" ] && command -v uv >/dev/null; then exec uv venv --quiet --seed --python 3.11 $(VENV); fi; \
	 echo "Python 3.11 to 3.14 with venv is needed: install one or uv, or set PYTHON=/path/to/python"; exit 1
	@echo "Installing fillbot and what it needs into $(VENV): once, a few minutes, some gigabytes"
	@$(BIN)/python deploy/install.py -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

# The extra is for those who outgrow one machine: nothing else installs it.
$(CLUSTER): $(STAMP)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	  || { sudo=""; [ "$$(id -u)" -eq 0 ] || sudo=sudo; $$sudo apt-get update -qq \
	       && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
	  || { echo "PostgreSQL is needed: install it, with initdb on the path"; exit 1; }
	@$(BIN)/python deploy/install.py -c constraints.txt -e '.[dev,cluster,cluster-dev]'
	@touch $(CLUSTER)

clean:  ## Remove .venv and caches; keeps .fillbot (votes and models)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
