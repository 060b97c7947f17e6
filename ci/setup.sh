#!/usr/bin/env bash
# setup.sh [GROUP...] - install what is missing of these groups of packages.sh.
#
# Nothing missing: does nothing, and needs neither root nor a network. As root
# with apt-get: installs it. Else: says what to install, and exits with 1.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=ci/packages.sh
source ci/packages.sh

how_to() {
	local debian fedora

	mapfile -t debian < <(debian_names <<<"$rows")
	mapfile -t fedora < <(fedora_names <<<"$rows")
	cat <<-EOF
	notelab: these are missing (see ci/packages.sh check $groups).
	On Debian and Ubuntu:
	  sudo apt-get install ${debian[*]}
	On Fedora:
	  sudo dnf install ${fedora[*]}
	EOF
}

install_with_apt() {
	local names

	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	mapfile -t names < <(debian_names <<<"$rows")
	echo "notelab: installing ${names[*]}"
	apt-get -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
		install -y --no-install-recommends "${names[@]}"
}

groups="${*:-build}"
rows=$(missing "$@")
[[ $rows ]] || exit 0
if [[ $EUID -ne 0 ]] || ! has_tool apt-get; then
	how_to >&2
	exit 1
fi

SECONDS=0
install_with_apt </dev/null
rows=$(missing "$@")
if [[ $rows ]]; then
	echo "notelab: installed, but still not good enough:" >&2
	echo "$rows" >&2
	exit 1
fi
echo "notelab: the packages took $SECONDS s"
