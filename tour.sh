#!/usr/bin/env bash
# The tour: four validators, every real public CA certificate that is valid today, proofs checked offline, a refusal.
# Takes about five minutes, most of it the build. Needs Rust, curl and openssl; leaves nothing but the build.
# TABELLION_TOUR_PROFILE=dev takes the quicker build of the tests.
set -euo pipefail
cd "$(dirname "$0")"

profile="${TABELLION_TOUR_PROFILE:-release}"
work=$(mktemp -d)
trap 'kill "${network:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
# Runs a command that must end with this exit code.
expect() {
  local wanted=$1 code=0
  shift
  "$@" || code=$?
  [ "$code" = "$wanted" ] || { echo "'$*' ended with $code instead of $wanted" >&2; exit 1; }
}

say "Build"
cargo build --profile "$profile" --package tabellion
tabellion="${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}/tabellion"

say "Real input: the CA certificates of the public web"
cargo run --quiet --profile "$profile" --package tabellion-corpus --example export_chains -- "$work/real"

say "Four validators of four organisations"
"$tabellion" dev --data "$work/network" --anchors "$work/real/roots.pem" --port 9441 &
network=$!
export TABELLION_NETWORK="$work/network"
for _ in $(seq 100); do
  "$tabellion" ledger status >/dev/null 2>&1 && break
  sleep 0.2
done
"$tabellion" ledger status

say "Publish every chain; what is refused is named"
expect 3 "$tabellion" cert publish-batch "$work/real/chains" --refused "$work/refused.jsonl"
head -n 2 "$work/refused.jsonl"

say "May I rely on it? The answer is proved, not believed"
sleep 1 # the query index follows the blocks, a busy one within a second
published=$("$tabellion" cert list --json --limit 1 | head -n 1 | grep -o '[0-9a-f]\{64\}' | head -n 1)
"$tabellion" cert verify "$published" --proof-out "$work/status.proof"

say "The same without a network: a proof file and the genesis document"
"$tabellion" cert verify --offline "$work/status.proof" --genesis "$work/network/genesis.cbor"

say "The same with curl"
curl --fail --silent --show-error --cacert "$work/network/tls-ca.pem" \
  "https://127.0.0.1:9441/v1/certificates/$published"
echo

say "A certificate that nobody published: its absence is proved too (exit code 4)"
expect 4 "$tabellion" cert verify "$(printf 'nobody' | sha256sum | cut -d' ' -f1)"

say "A refusal: a certificate whose CA the consortium does not trust"
openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=stranger.example" -days 30 \
  -keyout "$work/stranger.key" -out "$work/stranger.pem" 2>/dev/null
expect 3 "$tabellion" cert publish "$work/stranger.pem"

say "An auditor executes every block again"
"$tabellion" ledger verify-chain --full
