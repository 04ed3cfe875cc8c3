# The environment is made once, and again when pyproject.toml or constraints.txt change. ARGS goes to the command a target
# runs: make test ARGS="-k planner -x"
PYTHON ?= python3
VENV ?= .venv
SITE ?= site
ARGS ?=
BIN := $(VENV)/bin
HERE := $(abspath $(VENV))

# An install that finished leaves its place in $(VENV)/.finished, and the next one removes that file first. Without it,
# with another place in it (a moved or copied checkout), or with an interpreter that no longer starts, the environment is
# made anew: so an interrupted install heals itself.
SOUND_TEST = test "$$(cat '$(VENV)/.finished' 2>/dev/null)" = '$(HERE)' && '$(BIN)/python' -c '' 2>/dev/null
SOUND := $(shell $(SOUND_TEST) && echo yes)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-full mutants bench bench-full lint format types docs clean again

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## */\1|/p' Makefile | while IFS='|' read -r name what; do printf '  %-10s %s\n' "$$name" "$$what"; done

demo: $(VENV)/.with-run  ## the main job on an embedded world: minutes on a laptop's CPU
	$(BIN)/vtrans demo $(ARGS)

test: $(VENV)/.with-test  ## the tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

test-full: $(VENV)/.with-test  ## all tests
	$(BIN)/python -m pytest $(ARGS)

mutants: $(VENV)/.with-test  ## mutation tests of a room, ROOM=algebra: minutes; a sample: ARGS="--every 5"; more in .ci/mutants.py
	nice -n 10 $(BIN)/python .ci/mutants.py $(ROOM) $(ARGS)

bench: $(VENV)/.with-run  ## the benchmarks of a training step on a CPU, without compilation: minutes
	$(BIN)/python benchmarks/planner.py --out build/benchmarks/planner_cpu.json
	$(BIN)/python benchmarks/fused_step.py --setting A B1 B4 --rounds 9 --out build/benchmarks/fused_step_cpu.json
	$(BIN)/python benchmarks/memory.py --rounds 3 --out build/benchmarks/memory_cpu.json
	$(BIN)/python benchmarks/tables.py --show --results build/benchmarks

bench-full: $(VENV)/.with-run  ## all benchmarks of a CPU, with the tables of the documentation: most of an hour
	$(BIN)/python benchmarks/planner.py
	$(BIN)/python benchmarks/fused_step.py --compile --setting A B1 B4
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/trainer.py
	$(BIN)/python benchmarks/translate.py
	$(BIN)/python benchmarks/loader.py
	$(BIN)/python benchmarks/tables.py

lint: $(VENV)/.with-test  ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.with-test  ## ruff: repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.with-test  ## mypy, strict
	$(BIN)/mypy vtrans benchmarks

docs: $(VENV)/.with-test  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir '$(abspath $(SITE))'

clean:  ## remove the environment, caches and everything built (runs/ stays)
	rm -rf .venv .venv-ci site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(wildcard vtrans tests docs benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.with-run: pyproject.toml constraints.txt $(if $(SOUND),,again)
	$(call install,.)
	@touch '$(VENV)/.with-run'

$(VENV)/.with-test: pyproject.toml constraints.txt $(if $(SOUND),,again)
	$(call install,.[test])
	@touch '$(VENV)/.with-run' '$(VENV)/.with-test'

# Only a folder that is an environment, or is named like ours, is ever cleared.
define install
@if ! { $(SOUND_TEST); }; then \
	'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "vtrans needs Python 3.11 or newer, but '$(PYTHON)' is $$('$(PYTHON)' --version 2>&1 | tail -n 1)." >&2; \
		echo "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	}; \
	case '$(notdir $(VENV))' in \
		.venv*) ;; \
		*) if test -n "$$(ls -A '$(VENV)' 2>/dev/null)" && ! test -e '$(VENV)/pyvenv.cfg'; then \
			echo "VENV=$(VENV) holds other things than a virtual environment: choose another folder." >&2; exit 1; \
		fi ;; \
	esac; \
	echo "Making the environment $(VENV)"; \
	rm -rf '$(VENV)'; \
	'$(PYTHON)' -m venv '$(VENV)'; \
fi
@rm -f '$(VENV)/.finished'
@echo "Installing $(1) into $(VENV): a few minutes the first time"
@'$(BIN)/python' -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '$(1)'
@echo '$(HERE)' > '$(VENV)/.finished'
endef
