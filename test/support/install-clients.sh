#!/bin/sh
# Installs the FTP clients the interop tests drive: curl lftp gnutls-cli ncftp tnftp openssl python3 (Debian, as root).
set -eu
missing=
for pair in curl:curl lftp:lftp gnutls-cli:gnutls-bin ncftpget:ncftp tnftp:tnftp openssl:openssl python3:python3; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "these clients are missing, install them first:$missing" >&2
  exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
