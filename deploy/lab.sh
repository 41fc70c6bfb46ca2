#!/bin/sh
# Installs what the lab hospital needs (sample_pcaps/lab): some hundred megabytes of Debian
# packages, none of which Mimawari itself needs. Services that they bring are not started.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}

say() { printf '%s\n' "mimawari lab: $*"; }

[ "$(id -u)" = 0 ] || { say "run as root: sudo sh deploy/lab.sh"; exit 1; }
command -v apt-get >/dev/null 2>&1 || { say "needs a Debian system (apt-get)"; exit 1; }

packages=$("$PYTHON" -m sample_pcaps.lab --packages)
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || say "the package list could not be refreshed; going on with the old one"
failed=""
for package in $packages; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null || failed="$failed $package"
done
[ -z "$failed" ] || say "could not be installed:$failed"
"$PYTHON" -m sample_pcaps.lab --list
