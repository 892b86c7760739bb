#!/bin/sh
# Fetches the data of NIST's PKITS suite, as the PyPI package cryptography-vectors ships it (its licence: Apache-2.0 or
# BSD-3-Clause; the data itself is a work of the US government). Nothing of it is kept in this repository.
#
# usage: xtask/scripts/pkits.sh [destination]     default: $TABELLION_VECTORS, else target/vectors
set -eu

version=50.0.2
destination=${1:-${TABELLION_VECTORS:-$(dirname "$0")/../../target/vectors}}

if [ -e "$destination/PKITS_data/version-$version" ]; then
    echo "PKITS data is already in $destination" >&2
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --dest "$work" "cryptography-vectors==$version"
python3 - "$work" <<'PYTHON'
import glob, sys, zipfile
work = sys.argv[1]
[wheel] = glob.glob(work + "/cryptography_vectors-*.whl")
prefix = "cryptography_vectors/x509/PKITS_data/certs/"
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(work, [name for name in archive.namelist() if name.startswith(prefix)])
PYTHON
mkdir -p "$destination"
rm -rf "$destination/PKITS_data"
cp -R "$work/cryptography_vectors/x509/PKITS_data" "$destination/PKITS_data"
touch "$destination/PKITS_data/version-$version"
echo "PKITS data is in $destination" >&2
