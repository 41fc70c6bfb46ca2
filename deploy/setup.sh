#!/bin/sh
# Installs what Mimawari needs: Debian packages (when root), Python packages by hash into VENV,
# the console's script from npm, and compiled kernels. What is missing and optional is said.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

say() { printf '%s\n' "mimawari setup: $*"; }

# package:what is lost without it
wanted="tshark:remote calls, logons and DICOM inside packets stay unseen (deep lane)
chromium-headless-shell:the console's browser tests are skipped
fonts-noto-cjk:Japanese text in the browser tests' screenshots shows as boxes
victoria-metrics:the telemetry test is skipped
npm:the console works without live refresh"

is_there() {
    command -v "$1" >/dev/null 2>&1 ||
        dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

missing=""
lost=""
while IFS=: read -r package loss; do
    is_there "$package" && continue
    missing="$missing $package"
    lost="$lost
  $package: $loss"
done <<LIST
$wanted
LIST
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing Debian packages:$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || say "the package list could not be refreshed; going on with the old one"
        for package in $missing; do
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
                say "$package could not be installed"
        done
    else
        say "not installed (run as root, or: sudo apt-get install$missing):$lost"
    fi
fi

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "Python 3.11 or newer is needed; $PYTHON is $("$PYTHON" --version 2>&1)"
    exit 1
}

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
say "installing Python packages (some minutes the first time)"
pip="$VENV/bin/python -m pip install --quiet --disable-pip-version-check"
$pip --require-hashes -r requirements.lock
$pip --no-deps --no-build-isolation --editable .

if command -v npm >/dev/null 2>&1; then
    (cd dashboards && npm ci --silent --no-audit --no-fund --ignore-scripts && npm run --silent vendor) ||
        say "the console's script could not be fetched; pages work without live refresh"
fi

say "compiling kernels (a minute, once)"
compile() {
    "$@" "$VENV/bin/mimawari" replay sample_pcaps/15_scan.pcap --json >/dev/null
    "$@" "$VENV/bin/mimawari" flows sample_pcaps/15_scan.pcap --json >/dev/null
}
compile env
# The services' user may not write here: it has a folder of its own, named in the units.
if [ "$(id -u)" = 0 ] && id mimawari >/dev/null 2>&1; then
    rm -rf /var/cache/mimawari
    install -d -o mimawari -g mimawari -m 750 /var/cache/mimawari
    compile setpriv --reuid=mimawari --regid=mimawari --clear-groups \
        env NUMBA_CACHE_DIR=/var/cache/mimawari
fi
say "ready"
