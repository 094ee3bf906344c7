#!/bin/sh
# Installs the clients the interop tests drive: curl lftp gnutls-cli ncftp tnftp openssl python3 with paramiko and asyncssh,
# OpenSSH's and PuTTY's clients, sshfs, ssh-audit (Debian, as root). What Debian has too old or not at all goes into the
# project's cache: a FIPS provider, an OpenSSH client with ML-KEM, npm's ssh2.
set -eu
here=$(dirname -- "$0")
for what in fips-provider openssh-client ssh2; do
  "$here/fetch-$what.sh" >/dev/null || echo "fetch-$what.sh failed" >&2
done
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
