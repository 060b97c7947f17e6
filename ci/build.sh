#!/usr/bin/env bash
# build.sh [PRESET] - configure (once) and build a preset of CMakePresets.json.
#
# The preset "default" is built in build/, any other in build-PRESET/.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=ci/packages.sh
source ci/packages.sh

preset=${1:-default}
dir=build
[[ $preset == default ]] || dir=build-$preset
cache=$dir/CMakeCache.txt

cached() {
	[[ ! -e $cache ]] || sed -n "s/^$1:INTERNAL=//p" "$cache"
}

home=$(cached CMAKE_HOME_DIRECTORY)
if [[ $home && ! $home -ef . ]]; then
	echo "notelab: $dir/ was configured for $home; remove $dir/" >&2
	exit 1
fi

# From here on, the build itself sees when it has to configure again.
if [[ ! -e $dir/build.ninja && ! -e $dir/Makefile ]]; then
	generator=$(cached CMAKE_GENERATOR)
	if [[ ! $generator ]]; then
		generator=Ninja
		has_tool ninja || generator="Unix Makefiles"
	fi
	cmake --preset "$preset" -G "$generator"
fi
cmake --build "$dir" -j "$(nproc)"
