#!/usr/bin/env bash
# new_lab.sh [BUILD] - "runner new" writes a lab that builds, whose test
# passes, and that fails until its claims are written.
# shellcheck disable=SC2016 # jq's
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

tree=$tmp/tree
copy_sources "$tree"

new() {
	run "$runner" new --source "$tree" "$@"
}

new first_steps --topic memory --note 2023-10/mprotect
check "a new lab: exit status 0" exited 0
check "it says what to do next" said 'edit note.md'
check "the note names topic and note" test "$(sed -n \
	's/^topic: //p; s/^notes: //p' "$tree/labs/first_steps/note.md" |
	xargs)" = "memory 2023-10/mprotect"
check "no placeholder is left" not grep -rqE '@[A-Z]+@' "$tree/labs/first_steps"
new bare
check "one without options: exit status 0" exited 0
if [[ $(command -v clang-format) ]]; then
	cp "$root/.clang-format" "$tree"
	run clang-format --dry-run -Werror "$tree"/labs/*/*.[ch]
	check "they are formatted as all is" exited 0
fi

find "$tree" -printf '%P %T@\n' | sort >"$tmp/before"
while read -r name; do
	new "$name"
	check "the name '$name' is refused" exited 2
	check "'$name': it says what a name may be" complained "lab's name"
done <<'NAMES'
Upper
9lives
with-hyphen
with space
../outside
.hidden
_under
中文

NAMES
new "$(printf 'a%.0s' {1..65})"
check "a name of 65 characters is refused" exited 2
new first_steps
check "a name that is taken is refused" exited 2
check "and it says so" complained 'labs/first_steps: File exists'
new
check "no name at all is refused" exited 2
new one two
check "two names are refused" exited 2
check "nothing was written" diff "$tmp/before" \
	<(find "$tree" -printf '%P %T@\n' | sort)
run "$runner" list --source "$tree"
check "list shows the new labs" test "$(grep -c '1 claims' "$tmp/out")" -eq 2

run configure "$tree" "$tmp/build" -DWERROR=ON
check "they can be configured" exited 0
run cmake --build "$tmp/build" -j "$(nproc)" --target \
	first_steps first_steps_test bare bare_test
check "they build without a warning" exited 0
# Where CMake would put one of its own.
cp "$runner" "$tmp/build"
run ctest --test-dir "$tmp/build" -R '\.check$'
check "their Check tests pass" exited 0
check "both of them" said "100% tests passed, 0 tests failed out of 2"
run "$tmp/build/runner" --source "$tree" --format json first_steps
check "its run fails" exited 1
check "because of first-claim" json '.runs[0] | .status == "fail" and
	[.claims[] | {id, verdict}] ==
	[{id: "first-claim", verdict: "missing"}] and
	(.reasons[0] | startswith("claim first-claim: the note lists it"))'
check "and records nothing" not test -e "$tree/labs/first_steps/records"
finish
