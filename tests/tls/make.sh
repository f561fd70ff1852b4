#!/usr/bin/env bash
# Makes the certificates that tests of TLS use: an authority, and two that it signed for 127.0.0.1 and `localhost`. They are
# kept, so that no test needs a tool; their keys open nothing.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cat >"$work/ca.conf" <<CONF
[ca]
default_ca = tests
[tests]
new_certs_dir = $work
database = $work/index
rand_serial = yes
default_md = sha256
default_startdate = 20250101000000Z
default_enddate = 21250101000000Z
policy = names
[names]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
CONF
: >"$work/index"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
request() { openssl req -new -key "$1" -subj "/CN=$2" -out "$work/request"; }
sign() { openssl ca -batch -notext -config "$work/ca.conf" -keyfile "$work/authority.key" -in "$work/request" "$@" 2>/dev/null; }

key "$work/authority.key"
request "$work/authority.key" "Tidemill tests"
sign -selfsign -extensions authority -out authority.pem
for name in server renewed; do
    key $name.key
    request $name.key $name
    sign -cert authority.pem -extensions server -out $name.pem
done
chmod 0644 ./*.key
