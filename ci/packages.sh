#!/usr/bin/env bash
# packages.sh - the one list of what notelab needs from a distribution.
#
# ci/packages.sh list [GROUP...]   print the Debian names
# ci/packages.sh check [GROUP...]  say what is missing; exit 0 if nothing is
#
# GROUP: build (also the default), test, check, guest. A need counts as met
# when the very thing is found, whichever way it came to this machine.
# setup.sh sources this file for the functions.

needs() {
	tr -s '\t' <<'EOF'
build	links gcc		gcc libc6-dev		gcc glibc-devel
build	cmake 3.20		cmake			cmake
build	tool ninja make		ninja-build		ninja-build
build	tool pkg-config		pkg-config		pkgconf-pkg-config
build	module check		check			check-devel
build	module jansson		libjansson-dev		jansson-devel
build	module libarchive	libarchive-dev		libarchive-devel
build	module libcmark		libcmark-dev		cmark-devel
build	module liburing		liburing-dev		liburing-devel
build	module libunwind-ptrace	libunwind-dev		libunwind-devel
build	module libxml-2.0	libxml2-dev		libxml2-devel
build	module nettle		nettle-dev		nettle-devel
build	module numa		libnuma-dev		numactl-devel
build	module yaml-0.1		libyaml-dev		libyaml-devel
build	module zlib		zlib1g-dev		zlib-devel
build	tool gnuplot		gnuplot-nox		gnuplot
test	tool git		git			git
test	tool jq			jq			jq
test	tool prove		perl			perl-Test-Harness
test	tool valgrind		valgrind		valgrind
test	tool xmllint		libxml2-utils		libxml2
check	links clang		clang			clang
check	sanitizes clang		libclang-rt-@-dev	compiler-rt
check	tool clang-format	clang-format		clang-tools-extra
check	tool cppcheck		cppcheck		cppcheck
check	tool shellcheck		shellcheck		ShellCheck
guest	tool qemu-system-x86_64	qemu-system-x86		qemu-system-x86
guest	tool trace-cmd		trace-cmd		trace-cmd
guest	static gcc		libc6-dev		glibc-static
guest	tool make		make			make
guest	tool bc			bc			bc
guest	tool bison		bison			bison
guest	tool flex		flex			flex
guest	tool xz			xz-utils		xz
guest	module libelf		libelf-dev		elfutils-libelf-devel
guest	module libcrypto	libssl-dev		openssl-devel
EOF
}

# The probes: "tool A B" is the function has_tool with A and B, and looks for
# either.
has_tool() {
	local tool

	for tool; do
		type -P "$tool" >/dev/null && return
	done
	return 1
}

has_module() {
	has_tool pkg-config && pkg-config --exists "$1"
}

has_cmake() {
	local found

	found=$(cmake --version 2>/dev/null |
		sed -n '1s/^[^0-9]*\([0-9.]*\).*/\1/p') &&
		printf '%s\n' "$1" "$found" | sort -CV
}

has_links() {
	local out status=0

	out=$(mktemp)
	echo '#include <stdio.h>
		int main(void) { return puts("") == EOF; }' |
		"$@" -x c -o "$out" - 2>/dev/null || status=1
	rm -f "$out"
	return "$status"
}

has_sanitizes() {
	has_links "$1" -fsanitize=address,undefined
}

has_static() {
	has_links "$1" -static
}

# The rows of needs in these groups, and of those the rows that are not met.
wanted() {
	local group

	for group in "${@:-build}"; do
		needs | grep "^$group	" || {
			echo "packages.sh: no group '$group'" >&2
			return 2
		}
	done
}

missing() {
	local rows group probe names words

	rows=$(wanted "$@") || return
	while IFS=$'\t' read -r group probe names; do
		read -ra words <<<"$probe"
		"has_${words[0]}" "${words[@]:1}" ||
			printf '%s\t%s\t%s\n' "$group" "$probe" "$names"
	done <<<"$rows"
}

# Of rows on stdin, the names of the packages.
debian_names() {
	local clang

	# The sanitizers' package has the version of the default clang in it.
	clang=$(apt-cache depends clang 2>/dev/null |
		sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p') || true
	cut -f3 | tr ' ' '\n' | sed "s/@/${clang:-14}/" | sort -u
}

fedora_names() {
	cut -f4 | tr ' ' '\n' | sort -u
}

main() {
	local rows

	set -euo pipefail
	case ${1-} in
	list)
		rows=$(wanted "${@:2}")
		debian_names <<<"$rows"
		;;
	check)
		rows=$(missing "${@:2}")
		[[ $rows ]] || return 0
		echo "missing (group, probe, Debian, Fedora):"
		echo "$rows"
		return 1
		;;
	*)
		sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
		return 2
		;;
	esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	main "$@"
fi
