#!/usr/bin/env bash
# A home base station (H(e)NB) authenticates to a security gateway (SeGW), which asks the ledger: X.1409 II.1, with two
# strongSwan daemons, as Debian has them, and IKEv2. docs/ikev2.md tells what is shown.
#
#   H(e)NB 192.0.2.2 ----- 192.0.2.1 SeGW 198.51.100.1 ----- 198.51.100.2 node of the ledger
#                                     |
#                                     203.0.113.1 core network
#
# Each of the three is a network namespace of its own; the host's network and strongSwan are not touched. Needs root
# (CAP_SYS_ADMIN and CAP_NET_ADMIN), and what `needs` below names. TABELLION is the binary (not in /run).
# Ends with 0 only if each station was let in or refused as it should be, by the answer that it should be.
set -Eeuo pipefail
PATH=$PATH:/usr/sbin:/sbin

# A mount namespace of its own, with a /run of its own: network namespaces and files in it end with this script, however
# that ends, and the daemons meet no others.
if [ "${HENB_MOUNTS:-}" != $$ ]; then
  unshare --mount mount -t tmpfs henb /run || {
    echo "FAILED: cannot mount: this needs root, with CAP_SYS_ADMIN and CAP_NET_ADMIN" >&2
    exit 1
  }
  HENB_MOUNTS=$$ exec unshare --mount --propagation private bash "$0" "$@"
fi
mount -t tmpfs -o mode=755 henb /run

here=$(cd "$(dirname "$0")" && pwd)
tabellion=$(realpath -m "${TABELLION:-$here/../../target/release/tabellion}")
work=/run/henb
children=()

# --- what everything stands on ---------------------------------------------------------------------------------------

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  for log in segw/log henb/log node.log; do
    [ ! -f "$work/$log" ] || { printf -- '--- %s\n' "$log"; tail -n 40 "$work/$log"; } >&2
  done
  exit 1
}
ended() {
  trap - EXIT INT TERM ERR
  [ ${#children[@]} = 0 ] || kill -KILL "${children[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
}
trap ended EXIT
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

# What has to come true within a minute.
until_true() {
  local what=$1 end=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || fail "$what: not within a minute"
    sleep 0.05
  done
}

needs() {
  local row
  for row in charon-systemd:charon-systemd swanctl:strongswan-swanctl ip:iproute2 ping:iputils-ping \
    openssl:openssl curl:curl; do
    command -v "${row%%:*}" >/dev/null || fail "${row%%:*} is missing; Debian has it in the package ${row##*:}"
  done
  for row in openssl:libstrongswan-standard-plugins curl:libstrongswan-extra-plugins \
    kernel-libipsec:libcharon-extra-plugins; do
    [ -f "/usr/lib/ipsec/plugins/libstrongswan-${row%%:*}.so" ] ||
      fail "strongSwan's plugin ${row%%:*} is missing; Debian has it in the package ${row##*:}"
  done
  [ -x "$tabellion" ] || fail "$tabellion is missing: cargo build --release, or say TABELLION=<path>"
}

# Runs a command in a namespace.
at() { ip netns exec "$@"; }
# Starts a daemon in a namespace and a folder; it dies with this script.
start() {
  local name=$1 folder=$2
  shift 2
  (cd "$folder" && exec setpriv --pdeathsig KILL ip netns exec "$name" "$@") &
  children+=($!)
}

networks() {
  local name link address row
  for name in henb segw ledger; do
    ip netns add "$name" || fail "cannot make network namespaces: this needs CAP_SYS_ADMIN and CAP_NET_ADMIN"
  done
  ip -n henb tuntap add dev probe mode tun && ip -n henb link delete probe ||
    fail "cannot make a TUN device: strongSwan's ESP in user space needs /dev/net/tun (modprobe tun)"
  ip link add access netns henb type veth peer name access netns segw
  ip link add mgmt netns segw type veth peer name mgmt netns ledger
  for row in henb:access:192.0.2.2/24 segw:access:192.0.2.1/24 segw:mgmt:198.51.100.1/24 ledger:mgmt:198.51.100.2/24 \
    segw:lo:203.0.113.1/32; do
    IFS=: read -r name link address <<<"$row"
    ip -n "$name" address add "$address" dev "$link"
    ip -n "$name" link set "$link" up
  done
  ip -n ledger link set lo up
}

# --- the operator's CA and the ledger --------------------------------------------------------------------------------

new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
# A certificate and its key: name, further extensions.
issue() {
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/O=Operator/CN=$1.example" |
    openssl x509 -req -CA ca.pem -CAkey ca.key -days 30 -out "$1.pem" -extfile <(
      printf '%s\n' 'basicConstraints = CA:FALSE' 'keyUsage = critical, digitalSignature' \
        'authorityKeyIdentifier = keyid' 'subjectKeyIdentifier = hash' "subjectAltName = DNS:$1.example" "${@:2}"
    ) 2>/dev/null
}

certificates() {
  new_key ca.key
  openssl req -x509 -key ca.key -subj '/O=Operator/CN=Operator CA' -days 365 -out ca.pem \
    -addext 'keyUsage = critical, keyCertSign, cRLSign'
  issue segw
  issue henb
  issue stranger
  issue responder 'extendedKeyUsage = OCSPSigning' 'noCheck = ignored'
}

on_ledger() { at ledger "$tabellion" --network net "$@"; }

ledger() {
  cp "$here/plan.toml" . && "$tabellion" network init plan.toml --out net >/dev/null 2>node.log
  cat "$here/status.toml" >>net/nodes/node/node.toml
  start ledger . "$tabellion" node --config net/nodes/node >node.log 2>&1
  node=$!
  until_true "the node follows the ledger" node_follows
  on_ledger cert publish henb.pem segw.pem --key net/keys/operator.pem
  until_true "the node's index has the station's certificate" ocsp_says good
}
node_follows() { at segw curl -sf http://198.51.100.2:8481/ | grep 'It follows the ledger'; }
ocsp_says() {
  at segw openssl ocsp -issuer ca.pem -cert henb.pem -CAfile ca.pem -url http://198.51.100.2:8481/ocsp |
    grep "henb.pem: $1"
}

# The CA says of the station's certificate: the ledger's verb, and its reason.
ca_says() {
  on_ledger cert statement henb.pem --reason "$2" --out statement 2>/dev/null
  openssl dgst -sha256 -sign ca.key -out statement.signature statement
  on_ledger cert "$1" henb.pem --issuer ca.pem --statement statement --signature statement.signature \
    --key net/keys/operator.pem
}

# --- the two daemons -------------------------------------------------------------------------------------------------

# A daemon with its files: name, its certificates.
daemon() {
  local name=$1 one
  shift
  mkdir -p "$name/x509" "$name/x509ca" "$name/private"
  cp "$here/$name"/*.conf "$name"
  cp ca.pem "$name/x509ca"
  for one in "$@"; do
    cp "$one.pem" "$name/x509" && cp "$one.key" "$name/private/$one.pem"
  done
  # A copy: where the host has AppArmor, the profile of the path in /usr would not let it read these files.
  cp "$(command -v charon-systemd)" "$name/charon" && cp "$(command -v swanctl)" "$name/swanctl"
  start "$name" "$name" env STRONGSWAN_CONF=strongswan.conf ./charon >/dev/null 2>&1
  until_true "$name's daemon answers" swan "$name" --stats
  swan "$name" --load-all --noprompt >"$name/loaded" 2>&1 || fail "$name: $(cat "$name/loaded")"
}
swan() {
  local name=$1
  shift
  (cd "$name" && at "$name" env STRONGSWAN_CONF=strongswan.conf SWANCTL_DIR=. timeout 30 ./swanctl "$@")
}

# --- the four steps --------------------------------------------------------------------------------------------------

# One authentication. Takes the station's connection, what it shows (`certificate` or `identifier`), what the ledger
# must answer, and whether the station must come `in` or be `refused`.
authenticate() {
  local station=$1 how=$2 answer=$3 wanted=$4 outcome=refused gateway_had station_had
  swan henb --load-authorities --file "by-$how.conf" >/dev/null
  gateway_had=$(wc -l <segw/log) station_had=$(wc -l <henb/log)
  if swan henb --initiate --ike "$station" --child core --timeout 20 >initiated 2>&1; then
    reaches_the_core || fail "the tunnel carries nothing"
    outcome=in
    swan henb --terminate --ike "$station" --timeout 20 >/dev/null
  fi
  ! reaches_the_core || fail "the core network is reached without a tunnel"
  tail -n +$((gateway_had + 1)) segw/log >segw.said
  tail -n +$((station_had + 1)) henb/log >henb.said
  tell "$outcome"
  [ "$(answered)" = "$answer" ] || fail "the ledger must answer: $answer"
  [ "$outcome" = "$wanted" ] || fail "the station must be: $wanted"
  [ "$outcome" = in ] || grep -q AUTHENTICATION_FAILED initiated || fail "not refused, but: $(cat initiated)"
}
reaches_the_core() { at henb ping -q -c 1 -w 5 203.0.113.1 >/dev/null 2>&1; }

# The four steps of X.1409 II.1, from what both daemons wrote.
tell() {
  local decided="refused (AUTHENTICATION_FAILED)"
  [ "$1" = refused ] || decided="let in, and its tunnel carries a ping"
  printf '1  H(e)NB -> SeGW    IKE_AUTH with %s, %s bytes\n' "$(shown)" \
    "$(first 'sending packet: .*\[4500\] to .*(\([0-9]*\) bytes)' henb.said)"
  printf '2  SeGW -> ledger    %s\n' "$(asked)"
  printf '3  ledger -> SeGW    %s\n' "$(answered)"
  printf '4  SeGW -> H(e)NB    %s, after %s ms\n' "$decided" "$(milliseconds)"
}
shown() {
  if gateway 'received end entity cert'; then echo "its certificate"; fi
  if gateway 'received hash-and-url for end entity cert'; then echo "SHA-1 and URL of its certificate"; fi
}
asked() {
  {
    if gateway 'fetching certificate from .*/ikev2/'; then echo "the certificate (by SHA-1)"; fi
    if gateway 'requesting ocsp status from'; then echo "its status (OCSP)"; fi
  } | joined
}
answered() {
  {
    if gateway 'fetched certificate'; then echo "the certificate"; fi
    if gateway 'fetching certificate failed'; then echo "no such certificate"; fi
    if gateway 'certificate status is good'; then echo "good"; fi
    if gateway 'certificate was revoked'; then
      echo "revoked ($(first 'certificate was revoked.*reason: \(.*\)' segw.said))"
    fi
    if gateway 'contains no status on our certificate'; then echo "unknown"; fi
    if gateway 'ocsp request to .* failed'; then echo "nothing"; fi
  } | joined
}
# From the request IKE_AUTH to the response to it, by the gateway's clock.
milliseconds() {
  awk '/parsed IKE_AUTH request/ && !a { a = $1 } /generating IKE_AUTH response/ && !b { b = $1 }
    function ms(t,  p) { split(t, p, ":"); return ((p[1] * 60 + p[2]) * 60 + p[3]) * 1000 }
    END { d = ms(b) - ms(a); printf "%d", d < 0 ? d + 86400000 : d }' segw.said
}
# Whether the gateway's log of this authentication has such a line.
gateway() { grep -q "$1" segw.said; }
# What stands in the brackets of a pattern, in a file's first line that has it.
first() { sed -n "s/.*$1.*/\1/p;T;q" "$2"; }
joined() { paste -sd, | sed 's/,/, /g'; }

# A state on the ledger, both ways: its name, the station's connection, what must be answered by each way, the outcome.
both() {
  say "$1, by certificate"
  authenticate "$2" certificate "$3" "$5"
  say "$1, by identifier"
  authenticate "$2" identifier "$4" "$5"
}

needs
mkdir "$work" && cd "$work"
networks
certificates
say "A ledger, with the station's certificate on it"
ledger
daemon segw segw
daemon henb henb stranger

both Normal henb good "the certificate, good" in
say "The CA suspends the certificate"
ca_says suspend certificate-hold
both Suspended henb "revoked (certificate hold)" "the certificate, revoked (certificate hold)" refused
say "The CA resumes it"
ca_says resume none
both Resumed henb good "the certificate, good" in
say "The CA revokes it"
ca_says revoke key-compromise
both Revoked henb "revoked (key compromise)" "the certificate, revoked (key compromise)" refused
both Unknown stranger unknown "no such certificate" refused

say "What the node counted: certificates that it gave by their SHA-1"
at ledger curl -sf --cacert net/tls-ca.pem https://127.0.0.1:8441/metrics >metrics
grep '^tabellion_ikev2_lookups_total' metrics | tee counted
grep -q '"found"} 4$' counted && grep -q '"missing"} 1$' counted || fail "the gateway fetched otherwise"

say "No node answers"
kill -KILL "$node" && wait "$node" 2>/dev/null || true
authenticate henb certificate nothing refused
say "All as it should be"
