# demo and test are the two commands of the README; everything they need, they install.
# `make demo DURATION=20s` ends by itself. What goes where: packaging/environment.sh.
.DEFAULT_GOAL := help
.PHONY: help demo test faults lint format bench clean
.NOTPARALLEL:
SHELL := /bin/sh
ENVIRONMENT := packaging/environment.sh
PYTEST := .venv/bin/python -m pytest
WITNESS := $(if $(wildcard tests/witness/requirements.txt),.venv-witness/.ready)
# pytest finds mosquitto where Debian puts it for root.
export PATH := $(PATH):/usr/sbin:/usr/local/sbin

help:
	@echo "make demo     a simulated plant, a broker and a host in one terminal (DURATION=20s ends it)"
	@echo "make test     all tests but the long ones of kills and cuts"
	@echo "make faults   those: brokers and gateways killed, links cut"
	@echo "make lint     ruff and mypy;  make format  lets ruff mend the layout"
	@echo "make bench    costs, each beside a yardstick of the same run"
	@echo "make clean    remove environments and caches"

demo: needs-python .venv/.ready
	.venv/bin/tagbridge demo $(if $(DURATION),--duration $(DURATION))

# Three at a time: most of a test's time is waiting for real parts.
test: needs-python-mosquitto .venv/.ready-dev $(WITNESS)
	$(PYTEST) -n 3 --dist worksteal -m "not faults" $(ARGS)

faults: needs-python-mosquitto-strace .venv/.ready-dev $(WITNESS)
	$(PYTEST) -m faults $(ARGS)

lint: needs-python .venv/.ready-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: needs-python .venv/.ready-dev
	.venv/bin/ruff format .

bench: needs-python-mosquitto .venv/.ready-dev
	@set -e; for program in $$(grep -l __main__ tests/bench/*.py); do \
		echo "== $$program"; PYTHONPATH=. .venv/bin/python $$program; done

clean:
	rm -rf .venv .venv-witness .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# All that the system lacks is found out first, so that who may not install gets one line to type.
needs-%:
	@$(ENVIRONMENT) system $(subst -, ,$*)

.venv/.ready: pyproject.toml $(ENVIRONMENT)
	@$(ENVIRONMENT) venv
	@touch $@

.venv/.ready-dev: pyproject.toml $(ENVIRONMENT)
	@$(ENVIRONMENT) dev
	@touch .venv/.ready $@

.venv-witness/.ready: tests/witness/requirements.txt $(wildcard tests/witness/node/*) $(ENVIRONMENT)
	@$(ENVIRONMENT) witness
	@touch $@
