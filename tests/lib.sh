# shellcheck shell=bash
# lib.sh - what the tests of the runner share: they run it, check what came
# out, and leave nothing. Source it, with the build directory as $1 (build/ is
# the default); end with finish.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
# shellcheck disable=SC2034 # for those who source this
runner=$build/runner
# What a test asks for is what it sets.
unset CI NO_COLOR TAP_VERSION
# Labs that crash on purpose crash by their own signal, sanitizers or not. What
# the runner keeps until its end is no leak.
export ASAN_OPTIONS=handle_segv=0:handle_abort=0:detect_leaks=0:${ASAN_OPTIONS:-}

tmp=$(mktemp -d)
export TMPDIR=$tmp/for_labs
mkdir "$TMPDIR"
touch "$tmp/out" "$tmp/err"
mark=NOTELAB_TEST=$$.$RANDOM # in the environment of all that labs start
passed=0
failed=0

cleanup() {
	chmod -R u+rwx "$tmp"
	rm -rf "$tmp"
}
trap cleanup EXIT

# check WHAT COMMAND... - WHAT is so if COMMAND succeeds. Not in a subshell: it
# counts.
check() {
	local what=$1

	shift
	if "$@"; then
		echo "ok - $what"
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "FAILED - $what: $*"
	echo "  exit status ${status:-none}; its output ends:"
	tail -qn 15 "$tmp/out" "$tmp/err" | cut -c 1-300 | sed 's/^/  | /'
}

finish() {
	check "no lab left a process" nobody_left
	check "no lab left a temporary folder" is_empty "$TMPDIR"
	echo "$passed checks passed, $failed failed"
	exit $((failed > 0))
}

skip() {
	echo "skipped: $*"
	exit 77
}

# run COMMAND... - its stdout in $tmp/out, its stderr in $tmp/err, its exit
# status in $status.
run() {
	status=0
	(
		export "${mark?}"
		"$@"
	) </dev/null >"$tmp/out" 2>"$tmp/err" || status=$?
}

# prove_program EXEC ARG... - prove splits EXEC at blanks, so the build is
# called by a name without any.
ln -sn "$build" "$tmp/no_blanks"
prove_program() {
	run prove --exec "${1//"$build"/$tmp/no_blanks}" "${@:2}"
}

exited() {
	[[ $status -eq $1 ]]
}

not() {
	! "$@"
}

# json FILTER [JQ-OPTION...] - whether stdout is JSON for which FILTER is true,
# once; no output is not true, whatever jq -e says
json() {
	[[ $(jq "${@:2}" "$1" "$tmp/out") == true ]]
}

said() {
	grep -qF -- "$1" "$tmp/out"
}

complained() {
	grep -qF -- "$1" "$tmp/err"
}

is_empty() {
	[[ -z $(ls -A "$1") ]]
}

is_empty_file() {
	[[ ! -s $1 ]]
}

# closed_pipe COMMAND... - with a pipe as stdout whose reader is gone
closed_pipe() {
	local pipe

	exec {pipe}> >(:)
	wait $!
	"$@" >&"$pipe"
}

full_disk() {
	"$@" >/dev/full
}

# A process shows the environment that it was executed with, its children too.
# Some have ended by the time that grep reads them, so its status says nothing.
nobody_left() {
	local left

	left=$(grep -lsz "^$mark$" /proc/[0-9]*/environ || true)
	[[ ! $left ]]
}

sanitized() {
	grep -q '^SANITIZE:BOOL=ON' "$build/CMakeCache.txt"
}

# The copies have no links, so that nothing done to them can hit the original.

# copy_labs DIR - a source tree of notes and records alone, to be changed
copy_labs() {
	mkdir -p "$1/tests"
	cp -rL "$root/labs" "$1/labs"
	cp -rL "$root/tests/labs" "$1/tests/labs"
}

# copy_sources DIR - what builds labs, without the labs, to be changed
copy_sources() {
	mkdir -p "$1/labs" "$1/tests"
	cp -rL "$root"/{CMakeLists.txt,common,runner} "$1"
	cp -L "$root"/labs/{CMakeLists.txt,lab.cmake} "$1/labs"
	touch "$1/tests/CMakeLists.txt"
}

# cached NAME - the value that the build directory was configured with
cached() {
	sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"
}

# configure SOURCE BUILD [CMAKE-OPTION...] - like the build directory was
configure() {
	cmake -S "$1" -B "$2" -G "$(cached CMAKE_GENERATOR)" \
		-DCMAKE_C_COMPILER="$(cached CMAKE_C_COMPILER)" \
		-DCMAKE_BUILD_TYPE="$(cached CMAKE_BUILD_TYPE)" \
		-DSANITIZE="$(cached SANITIZE)" "${@:3}"
}
