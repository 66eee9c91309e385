#!/usr/bin/env bash
# Looks for the two tools that Penstock is built with, Python and Rust, and prints the Python to use.
# What is missing or too old is named on stderr with the way to get it; the exit code is then 1.
set -euo pipefail

python_minimum=3.11
rust_minimum=1.85

# Is the first dotted version at least the second one?
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n | head -n 1)" = "$2" ]
}

find_python() {
    local name version
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if at_least "$version" "$python_minimum"; then
            printf '%s\n' "$name"
            return
        fi
    done
    cat >&2 <<END
error: no Python $python_minimum or newer was found; \`python3\` is ${version:-missing}.
  Install one (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python@3.12),
  or name one that you have: make PYTHON=/usr/local/bin/python3.12 demo
END
    return 1
}

check_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    echo "error: \`$1\` has no module \`venv\`. Install it (Debian, Ubuntu: apt install python3-venv)." >&2
    return 1
}

check_rust() {
    local version
    version=$(rustc --version 2>/dev/null | cut -d' ' -f2) || version=
    if [ -n "$version" ] && at_least "$version" "$rust_minimum" && command -v cargo >/dev/null; then
        return
    fi
    if command -v rustup >/dev/null; then
        echo "error: Rust $rust_minimum or newer is needed, and \`rustc\` is ${version:-missing}. Run: rustup update stable" >&2
        return 1
    fi
    cat >&2 <<END
error: Rust $rust_minimum or newer is needed to build the core, and \`rustc\` is ${version:-missing}.
  Get it from https://rustup.rs:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
  (then open a new shell), or from your system if that is new enough (macOS: brew install rust).
END
    return 1
}

python=$(find_python)
check_venv "$python"
check_rust
printf '%s\n' "$python"
