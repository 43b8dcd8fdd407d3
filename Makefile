# Two commands do everything: `make demo` shows the product, `make test` proves it.
# Builds go to $CARGO_TARGET_DIR, outside the checkout, so that fresh clones share them.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/binnacle/build
SHELL := /bin/bash

.PHONY: demo test setup ui fuzz tidy bench soak clean
demo: setup ui
	cargo build --release --quiet -p binnacle -p demo
	exec $(CARGO_TARGET_DIR)/release/binnacle demo up

test: setup
	scripts/test

setup:
	@scripts/setup

ui:
	@scripts/build-ui

fuzz:
	scripts/fuzz $(SECONDS_EACH)

tidy:
	cargo xtask tidy

bench:
	cargo xtask bench

soak:
	cargo xtask soak

clean:
	rm -rf ui/dist ui/node_modules
