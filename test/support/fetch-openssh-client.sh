#!/bin/sh
# Prints the path of an ssh that knows mlkem768x25519-sha256 (OpenSSH 9.9 and later): the system's, else Debian's next one,
# unpacked into the project's cache with the libraries it needs and run through their own loader.
set -eu
if ssh -Q kex 2>/dev/null | grep -q '^mlkem768x25519-sha256$'; then command -v ssh; exit 0; fi
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cache=$(dirname -- "$(dirname -- "$here")")/.cache/openssh-client
"$here/fetch-debian-packages.sh" "$cache" openssh-client libc6 libssl3t64 libselinux1 zlib1g libpcre2-8-0 libedit2 \
  libgssapi-krb5-2 libkrb5-3 libk5crypto3 libcom-err2 libkrb5support0 libkeyutils1 libtinfo6 libbsd0 libmd0 libzstd1
wrapper=$cache/ssh
if [ ! -x "$wrapper" ]; then
  loader=$(find "$cache/usr" -name 'ld-linux-*.so.*' | head -n 1)
  libraries=$(dirname -- "$(find "$cache/usr/lib" -name 'libc.so.6' | head -n 1)")
  printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "$libraries" "$cache/usr/bin/ssh" > "$wrapper.new"
  chmod 755 "$wrapper.new"
  mv -f "$wrapper.new" "$wrapper"
fi
echo "$wrapper"
