#!/usr/bin/env bash
# kernels.sh - prepare the kernels that labs run on in guests: two stock ones
# with the headers to build modules, their realtime variants, and the debug
# kernel. What is there already is left as it is.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

ci/setup.sh build guest
ci/build.sh
build/runner kernels fetch --headers 6.1 6.12
build/runner kernels fetch 6.1-rt 6.12-rt
build/runner kernels build debug
build/runner kernels
