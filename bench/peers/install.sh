#!/bin/sh
# Unpacks the peers Lockgate is measured against (Debian packages, which conflict with each other when installed)
# side by side into .cache/peers. Nothing is installed into the system.
set -eu
cd "$(dirname -- "$0")/../.."
mkdir -p .cache/peers/deb .cache/peers/root
cd .cache/peers/deb
apt-get download proftpd-core proftpd-mod-crypto vsftpd pure-ftpd pure-ftpd-common openssh-server openssh-sftp-server \
  libmemcached11 libmemcachedutil2 libhashkit2 libhiredis0.14 libpcre2-posix3 libsodium23 libwrap0 libcap2 libpam0g
for package in *.deb; do dpkg -x "$package" ../root; done
echo "peers unpacked into .cache/peers/root"
