# `make demo` and `make test` need Python 3.11 or newer, git and make; everything else is installed below .venv.

# Coverage with branches, in per cent: what decides about a backup, and everything else.
COVERAGE_CORE := 100
COVERAGE_REST := 95
# Changes to the core that its tests must notice, in per cent.
MUTATION_SCORE := 90
MUTATION_KBYTES := 6000000

PROFILE ?= 3.2.4
PYTHON ?= python3.11 python3.12 python3.13 python3

# A connection is JSON with a password in it. It travels only through the environment: `value` keeps make from
# expanding a `$` in it, and an empty MAKEOVERRIDES keeps copies of it out of MAKEFLAGS.
define pass_on
ifneq ($$(origin $(1)),undefined)
override $(1) := $$(value $(1))
export $(1)
endif
endef
$(foreach name,PROFILE CONN APPLY DESTINATION PORT,$(eval $(call pass_on,$(name))))
MAKEOVERRIDES :=

# The targets use an Airflow of their own and never read the caller's: neither its home nor its AIRFLOW__* settings
# and AIRFLOW_CONN_* connections.
unexport $(filter AIRFLOW_%,$(.VARIABLES)) PYTHONPATH PYTHONHOME VIRTUAL_ENV
override AIRFLOW_HOME := $(CURDIR)/.airflow
export AIRFLOW_HOME

# Airflow starts its parts by name, so they must be on the PATH.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"
UV_INSTALL := .venv/bin/uv pip install --quiet --python .venv/bin/python -c constraints.txt --override overrides.txt
INPUTS := pyproject.toml constraints.txt overrides.txt airflow_ob_provider/__init__.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: demo ui pictures test browser bench bench-quick lint mutation setup constraints clean help

demo: .venv/.installed ## Show the provider at work: PROFILE=<version>, or CONN=<connection JSON> [APPLY=1] [DESTINATION=<where>]
	@$(RUN) python -m demo.run

ui: .venv/.installed ## Bring up Airflow with the DAGs and two simulated clusters, to click through: [PORT=<number>]; Ctrl-C ends it
	@.venv/bin/python -m demo.ui

# In the order of collection: the long files first, the many short ones of tests/unit last, so that no core idles.
test: lint ## Run lint, all tests and the quick benchmarks, and check the coverage
	@$(RUN) coverage erase
	@$(RUN) pytest --cov --cov-report= -n auto --dist loadfile --no-loadscope-reorder --ignore=tests/browser
	@$(RUN) coverage report --include='airflow_ob_provider/oceanbase/*' --fail-under=$(COVERAGE_CORE)
	@$(RUN) coverage report --omit='airflow_ob_provider/oceanbase/*' --fail-under=$(COVERAGE_REST)
	@$(RUN) python -m benchmarks.run --quick

# By itself: an Airflow and a browser keep two cores busy.
browser: .venv/.installed-dev ## Look at Airflow's pages with Chromium, where there is one
	@$(RUN) pytest -q -p no:xdist tests/browser

bench: .venv/.installed-dev ## Measure everything, or NAMES=<some>, against baselines and write benchmarks/RESULTS.md (half an hour)
	@$(RUN) python -m benchmarks.run --write $(NAMES)

bench-quick: .venv/.installed-dev ## The same at small sizes: counts must be exact, times are only shown (under a minute)
	@$(RUN) python -m benchmarks.run --quick $(NAMES)

lint: .venv/.installed-dev ## Check style, types and module boundaries
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) mypy
	@$(RUN) lint-imports --no-logo

# It works on a copy of the sources, in mutants/; when interrupted, RESUME=1 goes on there. A changed loop may never end
# and take memory all the while, so there is a limit to it.
mutation: .venv/.installed-mutation ## Change the core in thousands of small ways and count what no test notices (the better part of an hour)
	@$(if $(RESUME),,rm -rf mutants)
	@$(RUN) python tests/mutation/stable_ids.py >/dev/null
	@ulimit -v $(MUTATION_KBYTES); $(RUN) mutmut run
	@$(RUN) python tests/mutation/report.py $(MUTATION_SCORE)

pictures: .venv/.installed-dev ## Take the pictures of docs/pictures anew (needs Chromium; some minutes)
	@$(RUN) python -m demo.pictures

setup: .venv/.installed ## Create .venv with the provider and its sandbox (PYTHON=<path> chooses the Python)
	@echo 'Ready: .venv/bin/python'

constraints: .venv/bin/uv ## Resolve all dependencies anew and write constraints.txt
	@{ \
	  echo '# What a full development install resolves to; every install below .venv is held to these versions.'; \
	  echo '# Refresh it with: make constraints'; \
	  .venv/bin/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
	    --extra sandbox --extra kernel --extra mysql-connector --group dev --group mutation \
	    --override overrides.txt pyproject.toml; \
	} > constraints.txt.new || { rm -f constraints.txt.new; exit 1; }
	@mv constraints.txt.new constraints.txt

clean: ## Remove everything that these targets have created
	@rm -rf .venv .airflow .airflow-ui build dist .coverage .coverage.* htmlcov mutants constraints.txt.new
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

# Stamps of their own, because `make demo` need not wait for the development tools, nor `make test` for mutmut.
.venv/.installed: .venv/bin/uv $(INPUTS)
	@echo 'Installing the provider and its sandbox into .venv (once; a minute or two) ...' >&2
	@$(UV_INSTALL) --reinstall-package airflow-ob-provider -e '.[sandbox]'
	@touch $@

.venv/.installed-dev: .venv/.installed $(INPUTS)
	@echo 'Installing the development tools into .venv (once) ...' >&2
	@$(UV_INSTALL) --group dev -e '.[sandbox,kernel,mysql-connector]'
	@touch $@

.venv/.installed-mutation: .venv/.installed-dev $(INPUTS)
	@echo 'Installing mutmut into .venv (once) ...' >&2
	@$(UV_INSTALL) --group mutation
	@touch $@

.venv/bin/uv:
	@python=; \
	for candidate in $(PYTHON); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'Python 3.11 or newer is needed and was not found (tried: $(PYTHON)).' >&2; \
	  echo 'Install one, or say where it is: make setup PYTHON=<path to python>' >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot create virtual environments: its modules venv and ensurepip are missing." >&2; \
	  echo 'Debian and Ubuntu have them in a package of their own: apt install python3-venv' >&2; \
	  exit 1; \
	fi; \
	echo "Creating .venv with $$python ..." >&2; \
	"$$python" -m venv .venv && \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
