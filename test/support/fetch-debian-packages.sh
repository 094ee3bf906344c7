#!/bin/sh
# fetch-debian-packages.sh FOLDER PACKAGE...: unpacks packages of this Debian release's successor (of this release where it
# is new enough) into FOLDER, through the machine's own package sources with the suite's name replaced. Nothing is
# installed: lists and archives are thrown away. A FOLDER that exists is left as it is.
set -eu
folder=$1
shift
[ -e "$folder" ] && exit 0
for program in apt-get dpkg awk sed; do
  command -v "$program" >/dev/null || { echo "$program is needed to fetch Debian packages" >&2; exit 1; }
done

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $codename in
  bullseye | bookworm) suite=trixie ;;
  '') echo 'not a Debian system' >&2; exit 1 ;;
  *) suite=$codename ;;
esac
mkdir -p "$(dirname -- "$folder")"
work=$(mktemp -d "$folder.XXXXXX")
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
(cd "$work" && apt download "$@")
for archive in "$work"/*.deb; do dpkg -x "$archive" "$work/files"; done
# Another process may have been faster; its files are as good.
[ -e "$folder" ] || mv -T "$work/files" "$folder" 2>/dev/null || [ -e "$folder" ]
