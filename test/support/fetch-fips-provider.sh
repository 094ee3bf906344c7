#!/bin/sh
# Prints the path of an OpenSSL FIPS provider for the tests: the system's, else the one in the project's cache, else the
# package openssl-provider-fips of this or the next Debian release, fetched through the machine's own package sources with
# the suite's name replaced. Nothing is installed: lists, archive and files stay in a folder of the project.
set -eu
home=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cache=$home/.cache/fips-provider
find_module() { find "$1" -path '*/ossl-modules/fips.so' 2>/dev/null | head -n 1; }

for folder in /usr/local/lib64 /usr/local/lib "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib; do
  if [ -f "$folder/ossl-modules/fips.so" ]; then echo "$folder/ossl-modules/fips.so"; exit 0; fi
done
module=$(find_module "$cache")
if [ -n "$module" ]; then echo "$module"; exit 0; fi
for program in apt-get dpkg awk sed; do
  command -v "$program" >/dev/null || { echo "$program is needed to fetch a FIPS provider" >&2; exit 1; }
done

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $codename in
  bullseye | bookworm) suite=trixie ;;
  '') echo 'not a Debian system' >&2; exit 1 ;;
  *) suite=$codename ;;
esac
mkdir -p "$home/.cache"
work=$(mktemp -d "$home/.cache/fips-fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/files"
# Entries of Debian itself: those whose suite is the code name, alone or with -updates or -security.
awk -v suite="$codename" 'BEGIN { RS = ""; ORS = "\n\n" }
  $0 ~ ("(^|\n)Suites:([^\n]*[ \t])?" suite "([ \t\n]|-updates|-security|$)")' \
  /etc/apt/sources.list.d/*.sources 2>/dev/null | sed "s/$codename/$suite/g" > "$work/debian.sources" || true
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  grep -E "^deb .*[[:space:]]$codename(-updates|-security)?[[:space:]]" |
  sed "s/$codename/$suite/g" > "$work/debian.list" || true
list=$work/debian.sources
[ -s "$list" ] || list=$work/debian.list
apt() {
  timeout 120 apt-get -qq -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" \
    -o APT::Sandbox::User=root "$@" >&2
}
apt update
(cd "$work" && apt download openssl-provider-fips)
dpkg -x "$work"/openssl-provider-fips_*.deb "$work/files"
# Another test may have been faster; its files are as good.
[ -e "$cache" ] || mv -T "$work/files" "$cache" 2>/dev/null || [ -e "$cache" ]
module=$(find_module "$cache")
[ -n "$module" ] || { echo 'the package has no provider' >&2; exit 1; }
echo "$module"
