#!/bin/sh
# Prints the path of an OpenSSL FIPS provider for the tests: the system's, else the one in the project's cache, else that of
# Debian's package openssl-provider-fips, unpacked into the cache.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cache=$(dirname -- "$(dirname -- "$here")")/.cache/fips-provider
for folder in /usr/local/lib64 /usr/local/lib "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib; do
  if [ -f "$folder/ossl-modules/fips.so" ]; then echo "$folder/ossl-modules/fips.so"; exit 0; fi
done
"$here/fetch-debian-packages.sh" "$cache" openssl-provider-fips
module=$(find "$cache" -path '*/ossl-modules/fips.so' 2>/dev/null | head -n 1)
[ -n "$module" ] || { echo 'the package has no provider' >&2; exit 1; }
echo "$module"
