#!/usr/bin/env bash
# Checks everything that can be checked here: formatting, lints, structure, every test. What the tests need is installed
# when that is possible; where it is not, the script ends with a line that says what is missing. Nothing is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

# The clients that people have, unchanged, against the sandbox: minutes more, and half a gigabyte of packages.
if [ "${1:-}" = --real ]; then exec tests/real/run.sh; fi

# A machine that builds once has no use for what makes a second build quicker: six gigabytes of it.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi

step() { printf '\n== %s\n' "$1"; }
missing() {
    printf 'tests/run.sh: %s\n' "$1" >&2
    exit 1
}

# Installs a Debian package, or says how to get it.
install() {
    [ -x "$(command -v apt-get)" ] || missing "$1 is missing and this is no Debian; install it and run again"
    [ "$(id -u)" = 0 ] || missing "$1 is missing; install it (apt-get install $1) and run again"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null ||
        missing "$1 is missing and could not be installed; install it and run again"
}

# PostgreSQL 15 or newer, on PATH or where Debian keeps it.
postgres_version() {
    local found
    found=$(command -v postgres || find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] && "$found" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'
}

step "Tools"
command -v cargo >/dev/null || missing "there is no cargo; install Rust 1.95 or newer from rustup.rs and run again"
for part in fmt clippy; do
    cargo "$part" --version >/dev/null 2>&1 || missing "there is no cargo $part; run: rustup component add rustfmt clippy"
done
version=$(postgres_version || true)
if [ "${version:-0}" -lt 15 ]; then
    install postgresql
    version=$(postgres_version || true)
    [ "${version:-0}" -ge 15 ] || missing "PostgreSQL 15 or newer is needed, found ${version:-none}"
fi
# Debian's Chromium and its driver, for the stories of the web UI.
command -v chromium >/dev/null || install chromium
command -v chromedriver >/dev/null || install chromium-driver
command -v chromium >/dev/null && command -v chromedriver >/dev/null ||
    missing "Chromium and chromedriver are needed for the tests of the web UI"
printf '%s, PostgreSQL %s, %s\n' "$(rustc --version)" "$version" "$(chromedriver --version | cut -d' ' -f1,2)"

step "Formatting"
cargo fmt --all --check

step "Lints"
cargo clippy --locked --workspace --all-targets -- -D warnings

step "Benchmarks still run"
cargo test --locked --quiet --workspace --benches >/dev/null

step "Documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps --workspace --lib --exclude tidemill-tests

step "Examples in the documentation"
cargo test --locked --quiet --workspace --doc

step "Simulator"
cargo run --locked --quiet --release -p tidemill-scheduler --example simulate -- --seeds 300

step "Tests"
cargo test --locked --workspace --lib --bins --tests
