# What people do every day. `make` lists it.

.DEFAULT_GOAL := help
.PHONY: help demo lab test chaos lint format bench docs

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: ## Show the program at work, offline and in a temporary directory
	cargo build --workspace --bins --locked
	scripts/demo target/debug/peering-manager

lab: ## Start real routing daemons in network namespaces (root); lab/netns down ends them
	lab/netns up
	lab/netns wait

test: ## Run every test, with PostgreSQL where it can be had
	scripts/test

chaos: ## Kill workers and schedulers for three minutes, and look whether everything is accounted for
	CHAOS_SECONDS=180 CHAOS_SEED=$$(date +%N | sed 's/^0*//') cargo test --workspace --locked --test all chaos:: -- --nocapture

lint: ## Check formatting and lints, as CI does
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

format: ## Format the code
	cargo fmt --all

bench: ## Measure; see docs/benchmarks.md
	cargo build --release --locked -p peering-manager -p pm-bench
	POSTGRES_DURABLE=1 scripts/with-postgres target/release/pm-bench

docs: ## Build the manual into target/manual (needs mdbook)
	@command -v mdbook >/dev/null || { echo "mdbook is not installed: cargo install mdbook"; exit 1; }
	mdbook build docs
