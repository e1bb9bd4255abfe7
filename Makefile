# make demo    two servers as one dual primary, shown on this machine on throw-away data
# make test    every test, on real servers (fetched once into an ignored cache)
# make chaos   SECONDS=600 SEED=1 SERVER=mysql97: random load on a pair while everything fails, and nothing may be lost
# make bench   how fast it is, beside what does the same today; BENCH="decode mysql-9.7" a part, SHORT=1 a quick look
# make lint    format, clippy, dependencies, scripts
# make fmt     put the code into its format
# make docs    write the manual pages, the schemas and the list of doctor's rules anew
# make install put the binary, its manual and its completions below PREFIX (/usr/local)
# make fetch   only fetch the servers
# make clean   remove all that was built or fetched

SHELL := /bin/bash
CARGO ?= cargo
PREFIX ?= /usr/local

.PHONY: build demo test chaos bench lint lint-format lint-clippy lint-deps lint-scripts fmt docs install fetch images clean compiler

build: compiler
	$(CARGO) build --locked --workspace

# A development build: the demo waits for servers, not for us, and a release build takes minutes longer.
demo: compiler
	scripts/install-server
	$(CARGO) run --quiet --locked --package twinlog -- demo

# Tests wait for servers most of the time, so twice as many run as there are cores on a small machine.
test: export RUST_TEST_THREADS ?= 4
test: compiler fetch images
	TWINLOG_SERVERS="$$(scripts/fetch-servers --print-dir)" $(CARGO) test --locked --workspace --no-fail-fast

# Variables of its own names: a shell takes SECONDS for its clock.
chaos: compiler fetch
	TWINLOG_SERVERS="$$(scripts/fetch-servers --print-dir)" CHAOS_SECONDS="$(SECONDS)" CHAOS_SEED="$(SEED)" \
		CHAOS_SERVER="$(SERVER)" CHAOS_AGENT="$(AGENT)" $(CARGO) test --locked --package twinlog --test chaos

# Load comes from sysbench; where it cannot be had, what needs it says that it was skipped.
bench: compiler fetch
	@command -v sysbench >/dev/null || scripts/apt-install sysbench || \
		echo "make: no sysbench: what needs it is skipped" >&2
	TWINLOG_SERVERS="$$(scripts/fetch-servers --print-dir)" \
		$(CARGO) bench --locked --package twinlog --bench speed -- $(BENCH) $(if $(SHORT),--short)

lint: lint-format lint-clippy lint-deps lint-scripts

lint-format:
	$(CARGO) fmt --all --check

lint-clippy: compiler
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

lint-deps: compiler
	scripts/cargo-deny --locked check bans licenses sources

lint-scripts:
	@command -v shellcheck >/dev/null || scripts/apt-install shellcheck
	shellcheck scripts/* .ci/run

fmt:
	$(CARGO) fmt --all

docs: compiler
	UPDATE_DOCS=1 UPDATE_SCHEMAS=1 $(CARGO) test --locked --package twinlog --test it -- is_current schema
	UPDATE_SCHEMAS=1 $(CARGO) test --locked --package twinlog-pair --lib -- the_page_lists_every_rule

# DESTDIR is for those who make packages.
install: compiler
	$(CARGO) build --locked --release --package twinlog
	install -D -m 755 target/release/twinlog "$(DESTDIR)$(PREFIX)/bin/twinlog"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -m 644 docs/man/*.1 "$(DESTDIR)$(PREFIX)/share/man/man1/"
	for shell in bash:bash-completion/completions/twinlog zsh:zsh/site-functions/_twinlog \
			fish:fish/vendor_completions.d/twinlog.fish; do \
		file="$(DESTDIR)$(PREFIX)/share/$${shell#*:}"; \
		install -d "$$(dirname "$$file")" && target/release/twinlog completions "$${shell%%:*}" >"$$file" || exit 1; \
	done

fetch:
	@scripts/fetch-servers

# Only root can start an engine of its own: without one the docker tests say that they were skipped. faketime sets the
# clock of one server apart from the other's.
images:
	@if [ "$$(id -u)" = 0 ]; then \
		{ command -v dockerd && command -v iptables && command -v ip; } >/dev/null || \
			scripts/apt-install docker.io iproute2 iptables; \
		command -v faketime >/dev/null || scripts/apt-install faketime; \
		scripts/docker-images --build; \
	fi

clean:
	$(CARGO) clean
	rm -rf .cache

# Rust links with the C compiler, and `ring` is partly written in C.
compiler:
	@command -v $(CARGO) >/dev/null || \
		{ echo "make: error: no cargo on PATH: install Rust 1.89 or later (with sudo: keep PATH)" >&2; exit 1; }
	@command -v cc >/dev/null || scripts/apt-install gcc libc6-dev
