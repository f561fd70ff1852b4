#!/usr/bin/env bash
# Takes the pictures of this folder anew: a site with an invented shop in it, seen in a headless Chromium.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo run --locked --quiet -p tidemill-browser --bin browser -- pictures --into docs/images
