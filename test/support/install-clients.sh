#!/bin/sh
# Fetches a FIPS provider for the tests into the project's cache, and installs the clients the interop tests drive: curl lftp gnutls-cli
# ncftp tnftp openssl python3 with paramiko and asyncssh, OpenSSH's and PuTTY's clients, sshfs, ssh-audit (Debian, as root).
set -eu
"$(dirname -- "$0")/fetch-fips-provider.sh" >/dev/null || echo 'no FIPS provider could be fetched' >&2
missing=
for pair in curl:curl lftp:lftp gnutls-cli:gnutls-bin ncftpget:ncftp tnftp:tnftp openssl:openssl python3:python3 \
  sftp:openssh-client psftp:putty-tools ssh-audit:ssh-audit sshfs:sshfs; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
for module in paramiko asyncssh; do
  /usr/bin/python3 -c "import $module" >/dev/null 2>&1 || missing="$missing python3-$module"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "these clients are missing, install them first:$missing" >&2
  exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
