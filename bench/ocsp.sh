#!/bin/sh
# OCSP answers per second and per CPU-second: a Tabellion node, `openssl ocsp` and `cfssl ocspserve`, one after the
# other on the same machine, with the same CA, the same responder key (P-256) and the same requests.
#
#   bench/ocsp.sh [the tabellion binary, default target/release/tabellion]
#
# Needs: openssl, ab (apache2-utils), wrk, cfssl (golang-cfssl), python3. The client runs on the same cores, so
# the figures per CPU-second of the server say more than those per second.
set -eu
tabellion=$(realpath "${1:-target/release/tabellion}")
seconds=${SECONDS_EACH:-10}
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"

cat > ca.cnf <<'END'
[ca]
default_ca = this
[this]
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
default_days = 30
policy = names
copy_extensions = copy
[names]
commonName = supplied
[req]
distinguished_name = asked
x509_extensions = root
[asked]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
keyUsage = critical, digitalSignature
authorityKeyIdentifier = keyid
[responder]
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
authorityKeyIdentifier = keyid
END
touch index.txt
p256='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 -config ca.cnf $p256 -keyout ca.key -out ca.pem -subj /CN=Bench -days 30 2>/dev/null
for name in server responder; do
    openssl req -config ca.cnf $p256 -keyout $name.key -out $name.csr -subj /CN=$name \
        -addext subjectAltName=DNS:$name.example 2>/dev/null
    openssl ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -extensions $name -in $name.csr \
        -out $name.pem 2>/dev/null
done
openssl ocsp -issuer ca.pem -cert server.pem -reqout nonce.der
openssl ocsp -issuer ca.pem -cert server.pem -no_nonce -reqout plain.der

cat > plan.toml <<'END'
name = "bench"
anchors = ["ca.pem"]
[[members]]
id = "alpha"
name = "Alpha"
roles = ["certification-authority"]
[[validators]]
name = "alpha"
member = "alpha"
address = "127.0.0.1:18601"
rest = "127.0.0.1:18602"
END
"$tabellion" network init plan.toml --out net > /dev/null 2>&1
cat >> net/nodes/alpha/node.toml <<END

[status]
listen = "127.0.0.1:18603"
rate_per_second = 0
[[status.ca]]
certificate = "$work/ca.pem"
ocsp = { certificate = "$work/responder.pem", key = "$work/responder.key" }
END
"$tabellion" node --config net/nodes/alpha 2> node.log &
node=$!
pids="$pids $node"
until "$tabellion" cert publish server.pem --key net/keys/alpha.pem --network net > /dev/null 2>&1; do sleep 1; done
until openssl ocsp -issuer ca.pem -cert server.pem -url http://127.0.0.1:18603/ocsp -CAfile ca.pem 2>&1 |
    grep -q 'server.pem: good'; do sleep 1; done

openssl ocsp -index index.txt -port 18604 -CA ca.pem -rsigner responder.pem -rkey responder.key -ndays 1 \
    > /dev/null 2>&1 &
openssl=$!
cfssl ocspsign -ca ca.pem -responder responder.pem -responder-key responder.key -cert server.pem -status good \
    2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["ocspResponse"])' > responses
cfssl ocspserve -address 127.0.0.1 -port 18605 -responses responses -loglevel 5 > /dev/null 2>&1 &
cfssl=$!
pids="$pids $openssl $cfssl"
sleep 1

for kind in nonce plain; do
    cat > $kind.lua <<END
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/ocsp-request"
wrk.body = io.open("$work/$kind.der", "rb"):read("*a")
END
done

# CPU of a process so far, in ticks of 10 ms.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# A row: what, the server's process, how many answers came in how many seconds.
row() {
    awk -v what="$1" -v ticks="$2" -v answers="$3" -v took="$4" 'BEGIN {
        printf "%-72s %9.0f /s %9.0f /CPU-s %8.1f us CPU\n", what, answers / took, answers / (ticks / 100),
            ticks * 10000 / answers }'
}

by_wrk() { # what, process, kind, url
    before=$(ticks "$2")
    wrk -t1 -c16 -d"${seconds}s" -s "$3.lua" "$4" > out
    after=$(ticks "$2")
    grep -q 'Non-2xx' out && { cat out; exit 1; }
    row "$1" $((after - before)) "$(awk '/requests in/ { print $1 }' out)" \
        "$(awk '/requests in/ { sub(/,/, "", $4); sub(/s$/, "", $4); print $4 }' out)"
}

by_ab() { # what, process, kind, url, options
    before=$(ticks "$2")
    ab -q -t "$seconds" -n 1000000 $5 -p "$3.der" -T application/ocsp-request "$4" > out 2>&1 ||
        { printf '%-72s broke off: %s\n' "$1" "$(tail -1 out)"; return; }
    after=$(ticks "$2")
    row "$1" $((after - before)) "$(awk '/^Complete requests/ { print $3 }' out)" \
        "$(awk '/^Time taken/ { print $5 }' out)"
}

ours=http://127.0.0.1:18603/ocsp
echo "$(nproc) cores, $(uname -m), load $(cut -d' ' -f1-3 /proc/loadavg), $(date -u +%F), $seconds s each, 16 connections"
by_wrk 'tabellion, signed (nonce), keep-alive, wrk' $node nonce $ours
by_wrk 'tabellion, kept (no nonce), keep-alive, wrk' $node plain $ours
by_ab 'tabellion, signed (nonce), keep-alive, ab' $node nonce $ours '-k -c 16'
by_ab 'openssl ocsp, signed, keep-alive asked for, ab' $openssl nonce http://127.0.0.1:18604/ '-k -c 16'
by_wrk 'cfssl ocspserve, made beforehand, keep-alive, wrk' $cfssl plain http://127.0.0.1:18605/
for connections in 1 16; do
    with="a connection each, $connections at a time, ab"
    by_ab "tabellion, signed (nonce), $with" $node nonce $ours "-c $connections"
    by_ab "tabellion, kept, $with" $node plain $ours "-c $connections"
    by_ab "openssl ocsp, signed, $with" $openssl nonce http://127.0.0.1:18604/ "-c $connections"
    by_ab "cfssl ocspserve, made beforehand, $with" $cfssl plain http://127.0.0.1:18605/ "-c $connections"
done
