# make demo      train the embedded policy with PPO; ENV=textgym/Translate-v0 SEED=1 ARGS="--num-updates 20"
# make test      all tests; ARGS="-k records" picks some
# make ci        the slow ones: docs, notebooks, packaging, extras
# make lint      ruff and mypy
# make docs      the site, into build/site
# make assets    build the embedded tokenizer, policy and reward models again (about an hour)
#
# Each makes .venv and installs first, and again when pyproject.toml or constraints.txt change. PYTHON=… picks an
# interpreter. The plain commands stand in the README.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Only from the command line: a shell may hold an ENV of its own.
ifneq ($(origin ENV),command line)
ENV := textgym/Summarize-v0
endif
ifneq ($(origin SEED),command line)
SEED := 0
endif
ifneq ($(origin ARGS),command line)
ARGS :=
endif
ifneq ($(origin PYTHON),command line)
PYTHON :=
endif

.PHONY: demo test ci lint docs format assets install clean

demo: $(INSTALLED)
	$(BIN)/python -m textgym.cli train ppo --env $(ENV) --seed $(SEED) $(ARGS)

# Two processes of one thread each: what two cores can carry, and no more memory than that. The one that is done first takes
# tests from the other, for some are long.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

# Whole files go to a process, because their tests share what is dear to make (a built wheel, the site).
ci: $(INSTALLED)
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -n 2 --dist loadfile -m ci $(ARGS)

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)
	@echo "build/site/index.html, or: $(BIN)/python -m http.server -d build/site"

lint: $(INSTALLED)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(INSTALLED)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

assets: $(INSTALLED)
	$(BIN)/python -m agents assets $(ARGS)

install: $(INSTALLED)

# A .venv that cannot be used (a moved folder, an upgraded or an old Python, an interrupted start) is made anew.
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python)
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

$(INSTALLED): pyproject.toml constraints.txt
	@if ! { $(BIN)/python -c '$(IS_SUPPORTED)' && $(BIN)/python -m pip --version; } >/dev/null 2>&1; then \
	    found=''; tried=''; \
	    for python in $(CANDIDATES); do \
	        if "$$python" -c 'import ensurepip, venv; $(IS_SUPPORTED)' 2>/dev/null; then found="$$python"; break; fi; \
	        tried="$$tried $$python ($$("$$python" -V 2>/dev/null || echo none)),"; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "textgym needs Python 3.11, 3.12 or 3.13 with its venv module. On PATH:$${tried%,}." >&2; \
	        echo "Name one with: make $(or $(MAKECMDGOALS),demo) PYTHON=path/to/python3.12" >&2; \
	        exit 1; \
	    fi; \
	    echo "making $(VENV) with $$("$$found" -V)"; \
	    "$$found" -m venv --clear $(VENV) || exit 1; \
	fi
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
