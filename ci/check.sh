#!/usr/bin/env bash
# check.sh [STAGE...] - run the stages, all if none is named, one after the
# other; show the end of the log of those that fail, and a table of all.
#
#   plain                 no file names a path of one machine
#   format                clang-format agrees with every C file
#   cppcheck, shellcheck  nothing found in any C file, in any script
#   gcc, clang            build without warnings
#   sanitize              build with ASan and UBSan, and run every test
#
# shellcheck disable=SC2317 # the stages are called by name
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
unset "${!GIT_@}"

logs=build/check
all=(plain format shellcheck cppcheck gcc clang sanitize)

# A CI often checks out as one user and runs as another.
git() {
	command git -c safe.directory="$PWD" "$@"
}

# The tracked files that match into $files. A stage without a file has failed.
tracked() {
	mapfile -d '' files < <(git ls-files -z -- "$@")
	echo "${#files[@]} files match: $*"
	[[ ${#files[@]} -gt 0 ]]
}

stage_plain() {
	local absolute='(^|[^[:alnum:]_.~-])/(home|root|work|Users)/' status=0

	tracked .
	git grep -nIE "$absolute|[.][.]/shared" || status=$?
	[[ $status -eq 1 ]] # 0 is a hit, more is trouble
}

stage_format() {
	clang-format --version
	tracked '*.c' '*.h'
	clang-format --dry-run -Werror "${files[@]}"
}

stage_shellcheck() {
	tracked '*.sh' .ci/run
	shellcheck --external-sources "${files[@]}"
}

stage_cppcheck() {
	ci/build.sh || true # whether it builds is a stage of its own
	mkdir -p build/cppcheck
	grep -c '"file":' build/compile_commands.json # fails if there is none
	# With a project, it does not define its own macro by itself.
	cppcheck --project=build/compile_commands.json --quiet -j2 \
		--cppcheck-build-dir=build/cppcheck -D__cppcheck__ \
		--enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1
}

stage_gcc() {
	ci/build.sh gcc
}

stage_clang() {
	ci/build.sh clang
}

stage_sanitize() {
	PRESET=sanitize ci/test.sh
}

# Show the newest line of stdin, on a terminal in place, else now and then.
progress() {
	local start=$SECONDS every=20 form='%-10s %4d s  %.60s\n' line next

	if [[ -t 1 ]]; then
		every=1
		form='\r\033[K%-10s %4d s  %.60s'
	fi
	next=$((start + every))
	while IFS= read -r line || [[ $line ]]; do
		((SECONDS >= next)) || continue
		next=$((SECONDS + every))
		# shellcheck disable=SC2059 # one of the two above
		printf "$form" "$1" $((SECONDS - start)) \
			"${line//[^[:print:]]/}"
	done
	[[ ! -t 1 ]] || printf '\r\033[K'
}

# Run a stage; its result and time in ms into $result and $took.
run() {
	local log=$logs/$1.log start=${EPOCHREALTIME/[.,]/} status

	echo "$1: started, see $log"
	# In a condition, the stage would not stop at its first error.
	set +e
	(
		set -e
		"stage_$1"
	) </dev/null 2>&1 | tee "$log" | progress "$1"
	status=${PIPESTATUS[0]}
	set -e
	took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
	result=passed
	if [[ $status -ne 0 ]]; then
		result=FAILED
		echo "--- the end of $log"
		tail -n 40 "$log"
		echo "---"
	fi
	echo "$1: $result"
}

for stage in "$@"; do
	if [[ " ${all[*]} " != *" $stage "* ]]; then
		echo "check.sh: no stage '$stage'; there are: ${all[*]}" >&2
		exit 2
	fi
done
[[ $# -gt 0 ]] || set -- "${all[@]}"

ci/setup.sh build test check
mkdir -p "$logs"
table=
failed=0
for stage; do
	run "$stage"
	[[ $result == passed ]] || failed=1
	printf -v row '%-12s %-8s %5d.%d s' "$stage" "$result" \
		$((took / 1000)) $((took % 1000 / 100))
	table+=$row$'\n'
done
printf '\n%-12s %-8s %9s\n%s' stage result "wall time" "$table"
exit "$failed"
