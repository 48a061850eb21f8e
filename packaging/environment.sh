#!/bin/sh
# What the Makefile needs on a machine: system packages, a Python, virtual environments.
#
#   environment.sh system NAME...   what must exist: python, mosquitto, strace
#   environment.sh venv             .venv with the product and the demo's broker
#   environment.sh dev              the same, and what tests and linters need
#   environment.sh witness          .venv-witness: independent Sparkplug decoders and a broker,
#                                   apart from ours
#
# As root, or with sudo that asks no password, it installs what is missing and says so; otherwise it
# prints the one line to type, and ends with 2.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/usr/local/sbin"

say() { printf '== %s\n' "$*"; }
stop() { printf '%s\n' "$*" >&2; exit 2; }

install_packages() {
    if ! command -v apt-get >/dev/null; then
        stop "Missing: $*. Install them with this system's package manager, then run make again."
    fi
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo="sudo -n"
    else
        stop "Missing: $*. Install with:  sudo apt-get install -y --no-install-recommends $*"
    fi
    say "installing system packages: $*"
    # The package lists of a fresh machine are empty or old; without a network, try what is there.
    $sudo apt-get update -qq || say "apt-get update failed; trying with the package lists at hand"
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

find_python() {
    seen=
    for name in python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null && "$name" -c '' 2>/dev/null; then
            if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
                printf '%s' "$name"
                return
            fi
            seen=$("$name" -V)
        fi
    done
    if [ -n "$seen" ]; then
        stop "tagbridge needs Python 3.11 or newer; the newest here is $seen." \
            "Install python3.11 (or newer) and its venv package, then run make again."
    fi
}

python_packages() {
    [ ! -x .venv/bin/python ] || return 0
    python=$(find_python)
    if [ -z "$python" ]; then
        printf 'python3 python3-venv'
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian ships Python without the means to make environments.
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
}

make_venv() {
    if [ ! -x "$1/bin/python" ] || ! "$1/bin/python" -m pip --version >/dev/null 2>&1; then
        python=$(find_python)
        [ -n "$python" ] || stop "No Python 3.11 or newer found."
        say "making $1 with $("$python" -V)"
        rm -rf "$1"
        "$python" -m venv "$1"
    fi
    # Debian 12 brings pip 23, which knows no --group.
    "$1/bin/python" -m pip install --quiet 'pip>=25.1'
}

what=$1
shift
case $what in
system)
    missing=
    for name in "$@"; do
        if [ "$name" = python ]; then
            packages=$(python_packages)
            missing="$missing $packages"
        elif ! command -v "$name" >/dev/null; then
            missing="$missing $name"
        fi
    done
    missing=$(echo $missing)
    # shellcheck disable=SC2086  # one word per package
    [ -z "$missing" ] || install_packages $missing
    ;;
venv)
    make_venv .venv
    say "installing tagbridge into .venv"
    .venv/bin/python -m pip install --quiet -e '.[demo]'
    ;;
dev)
    make_venv .venv
    say "installing tagbridge and its test tools into .venv"
    .venv/bin/python -m pip install --quiet -e '.[demo,fast]' --group dev
    ;;
witness)
    make_venv .venv-witness
    say "installing independent decoders into .venv-witness"
    .venv-witness/bin/python -m pip install --quiet -r tests/witness/requirements.txt
    # Node.js comes as a wheel, because that of Debian 12 is too old for what runs on it here.
    rm -rf .venv-witness/node
    cp -R tests/witness/node .venv-witness/node
    PATH="$PWD/.venv-witness/bin:$PATH" \
        npm ci --prefix .venv-witness/node --ignore-scripts --no-audit --no-fund --silent
    ;;
*)
    stop "environment.sh: system | venv | dev | witness"
    ;;
esac
