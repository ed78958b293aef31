#!/bin/bash
# Installs what rouse needs and this machine lacks: nothing when nothing is missing.
#
#   setup.sh build | demo | bench | check    what is needed to build, to run the demo, to measure, to run all checks
#   setup.sh mock                    only what the tests need from npm: a mock model server, koffi
#   setup.sh missing SET             installs nothing; one line and status 1 when something is missing
set -u
cd "$(dirname "$0")/.." || exit 1

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
have_library() { have pkg-config && pkg-config --exists "$1"; }
have_libc() { have gcc && [ -e /usr/include/stdio.h ] && [ -e "$(gcc -print-file-name=libc.a)" ]; }
have_clang_runtime() {
    local lib
    have clang || return
    for lib in tsan asan fuzzer; do
        ls "$(clang -print-resource-dir)"/lib/*/libclang_rt.$lib*.a >/dev/null 2>&1 || return
    done
}

# One row for each thing: the set it belongs to, the Debian package, the command that tells whether it is there.
needs() {
    cat <<'ROWS'
build gcc have gcc
build libc6-dev have_libc
build make have make
build meson have meson
build ninja-build have ninja
build pkg-config have pkg-config
build python3 have python3
build libjansson-dev have_library jansson
build libsqlite3-dev have_library sqlite3
build libcurl4-openssl-dev have_library libcurl
build libcmocka-dev have_library cmocka
build musl-tools have musl-gcc
demo procps have pgrep
bench task-spooler have tsp
bench nq have nq
check clang have clang
check libclang-rt-14-dev have_clang_runtime
check bubblewrap have bwrap
check fish have fish
check git have git
check nodejs have node
check npm have npm
check strace have strace
check zsh have zsh
ROWS
}

in_set() { # NEED SET: all hold build, and check holds all
    case "$2:$1" in build:build | demo:build | demo:demo | bench:build | bench:bench | check:*) return 0 ;; *) return 1 ;; esac
}

missing_packages() { # SET
    local set package probe
    while read -r set package probe; do
        in_set "$set" "$1" || continue
        $probe </dev/null || printf '%s ' "$package"
    done < <(needs)
}

packages_of() { # SET
    local set package
    while read -r set package _; do
        in_set "$set" "$1" && printf '%s ' "$package"
    done < <(needs)
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

check_rights() { # PACKAGES
    [ "$(id -u)" = 0 ] && return
    local how="install these as root, then try again: apt-get install $1"
    have sudo || fail "no rights: neither root nor sudo; $how"
    [ -t 0 ] || sudo -n true 2>/dev/null || fail "no rights: sudo asks for a password and nobody is there to type it; $how"
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
        -o DPkg::Lock::Timeout=120 "$@"
}

# What went wrong, in apt's or npm's own words, on one line: the cause where there is one, else the last word.
last_error() { # LOG
    {
        grep -aE '^E: .*(Failed to fetch|resolving|onnect)|^npm (ERR|error).*(reason|ENOTFOUND|EAI_AGAIN|ECONN)' "$1" | head -n 1
        grep -aE '^E:|^npm (ERR|error)' "$1" | grep -avE 'complete log|-debug-|npm error$' | tail -n 1
    } | head -n 1 | tr -d '\r'
}

install_packages() { # PACKAGES
    local log
    log=$(mktemp "${TMPDIR:-/tmp}/rouse-setup.XXXXXX") || fail "cannot write to ${TMPDIR:-/tmp}"
    say "installing with apt-get: $1"
    apt update </dev/null >"$log" 2>&1
    # shellcheck disable=SC2086
    if ! apt install -y --no-install-recommends $1 </dev/null >>"$log" 2>&1; then
        local why=$(last_error "$log")
        if grep -qaE 'resolving|Could not connect|Failed to fetch|Connection (failed|timed out)|Unable to locate' "$log"; then
            fail "no network, or no Debian mirror to be reached: apt-get says '$why' (log: $log)"
        fi
        fail "apt-get failed: '$why' (log: $log)"
    fi
    rm -f "$log"
}

# Only on a machine with apt; elsewhere a system that has all of it passes, and one that has not gets the list.
ensure_packages() { # SET
    local missing
    missing=$(missing_packages "$1")
    missing=${missing% }
    if [ -z "$missing" ]; then
        say "nothing to install"
    else
        have apt-get && have dpkg ||
            fail "wrong system: this set-up knows Debian 12; install the like of these yourself: $missing"
        check_rights "$missing"
        install_packages "$missing"
        missing=$(missing_packages "$1")
        [ -z "$missing" ] ||
            fail "wrong system: still not usable after being installed: $missing(this set-up knows Debian 12)"
    fi
    check_versions
}

check_versions() {
    local row
    for row in 'jansson >= 2.13' 'sqlite3 >= 3.40' 'libcurl >= 7.74' 'cmocka >= 1.1.5'; do
        pkg-config --exists "$row" || fail "wrong system: rouse needs $row; this set-up knows Debian 12"
    done
    printf '1.0.0\n%s\n' "$(meson --version)" | sort -CV || fail "wrong system: rouse needs meson >= 1.0.0"
}

ensure_mock() {
    local log
    cd tests/npm || fail "this is not a whole checkout: tests/npm is missing"
    [ node_modules/.package-lock.json -nt package-lock.json ] && return
    have npm || fail "npm is missing: run tools/setup.sh check"
    say "installing what the tests need from npm: a mock model server, koffi"
    log=$(mktemp "${TMPDIR:-/tmp}/rouse-setup.XXXXXX") || fail "cannot write to ${TMPDIR:-/tmp}"
    if ! npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error \
        --fetch-retries=1 --fetch-timeout=60000 </dev/null >"$log" 2>&1; then
        fail "no network, or npm cannot fetch: '$(last_error "$log")' (log: $log)"
    fi
    touch node_modules/.package-lock.json
    rm -f "$log"
}

case "${1:-}" in
build | demo | bench)
    ensure_packages "$1"
    ;;
check)
    ensure_packages check
    ensure_mock
    ;;
mock)
    ensure_mock
    ;;
missing)
    missing=$(missing_packages "${2:-build}")
    [ -z "$missing" ] || fail "missing: ${missing% }; 'make setup' installs it (as root or with sudo)"
    ;;
packages)
    packages_of "${2:-check}"
    echo
    ;;
*)
    fail "usage: setup.sh build|demo|bench|check|mock|missing SET"
    ;;
esac
