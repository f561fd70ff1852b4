#!/usr/bin/env bash
# tests/run.sh --real: the clients that people have, unchanged, against a sandbox of this tree. Installs each in a folder of
# its own below target/real, starts a sandbox for each in an empty folder, and ends with what passed and what failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
real=$PWD/target/real
mkdir -p "$real"

step() { printf '\n== %s\n' "$1"; }

# The packages of a client, newest releases within what the client itself asks for.
packages() {
    case $1 in
        storage) echo google-cloud-storage google-api-python-client ;;
        bigquery) echo google-cloud-bigquery pyarrow google-api-python-client ;;
        databricks) echo databricks-sdk ;;
        discovery) echo google-api-python-client ;;
        dbt) echo "dbt-core<1.12 dbt-bigquery" ;;
    esac
}

# Prints the python that has what a client needs.
python_of() {
    local folder=$real/$1 wanted
    wanted=$(packages "$1")
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$folder"
        python3 -m venv "$folder" >&2
        # shellcheck disable=SC2086 # one word a package
        "$folder/bin/pip" install --quiet --disable-pip-version-check $wanted >&2
        echo "$wanted" >"$folder/installed"
    fi
    echo "$folder/bin/python"
}

# Runs a command with the address of a sandbox behind it.
with_sandbox() {
    local name=$1 folder address
    shift
    folder=$(mktemp -d)
    "$tidemill" sandbox --sandbox-dir "$folder" --sandbox-listen 127.0.0.1:0 --sandbox-mail 127.0.0.1:0 >"$real/$name.log" 2>&1 &
    local pid=$!
    for _ in $(seq 200); do
        address=$(grep -om1 'http://127\.0\.0\.1:[0-9]*' "$real/$name.log" || true)
        [ -n "$address" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    local good=1
    if [ -z "$address" ]; then
        cat "$real/$name.log"
    elif "${@/ADDRESS/$address}"; then
        good=0
    fi
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm -rf "$folder"
    return $good
}

passed=0
failed=0
try() {
    local name=$1
    step "$name"
    if with_sandbox "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name; the sandbox said: $real/$name.log"
    fi
}

step "Build"
python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null || {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
}
cargo test --locked --quiet --workspace --lib --bins --tests --no-run
tidemill=$PWD/target/debug/tidemill
CARGO_TARGET_DIR=$real/rust cargo build --locked --quiet --manifest-path tests/real/rust/Cargo.toml

described=$PWD/tests/real/described.py
for name in storage bigquery discovery; do
    try "$name" "$(python_of "$name")" "tests/real/$name.py" ADDRESS "$described"
done
try databricks "$(python_of databricks)" tests/real/databricks.py ADDRESS
try dbt "$(python_of dbt)" tests/real/dbt.py ADDRESS "$real/dbt/bin/dbt"
try rust "$real/rust/debug/real-clients" ADDRESS

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
