#!/usr/bin/env bash
# lab.sh LAB... - from nothing to the named labs run: install what is missing,
# build, and hand the arguments to build/runner.
set -euo pipefail

if [[ $# -eq 0 ]]; then
	echo "usage: ci/lab.sh LAB... (for instance labs/memfd_seal)" >&2
	exit 2
fi
root=$(dirname "$(dirname "$(realpath "$0")")")
# stdout is the runner's alone, for --format json.
"$root/ci/setup.sh" build >&2
"$root/ci/build.sh" >&2
exec "$root/build/runner" "$@"
