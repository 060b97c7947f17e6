#!/usr/bin/env bash
# records.sh [BUILD] - what a run writes beside the note, and when it must not.
# shellcheck disable=SC2317 # functions are called by check
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

tree=$tmp/tree
copy_labs "$tree"
lab=$tree/tests/labs/behaves
series=$(uname -r | grep -oE '^[0-9]+\.[0-9]+')

run_lab() {
	run "$runner" --source "$tree" --format json "$@" tests/labs/behaves
}

# Each name, size, mode, time of change and content below the tree.
snapshot() {
	find "$tree" -printf '%P %y %s %m %T@\n' | sort
	find "$tree" -type f -readable -print0 | sort -z | xargs -0 sha256sum
}

unchanged() {
	snapshot | cmp -s - "$tmp/before"
}

# The one file in records/; its name depends on the kernel's flavour.
recorded() {
	local files=("$lab"/records/*)

	[[ ${#files[@]} -eq 1 && ${files[0]} == "$lab/records/$series"*.out ]]
}

is_record() {
	# shellcheck disable=SC2016 # jq's variable
	json '.runs[0].record == $record' --arg record "$1"
}

snapshot >"$tmp/before"
CI=1 run_lab
check "with CI set, nothing is written" unchanged
check "and the run passes" exited 0
run_lab --check
check "with --check, nothing is written" unchanged

run_lab
check "the first run passes" exited 0
check "it writes the record of the series" recorded
check "and says so" is_record new
record=$(echo "$lab"/records/*)
for key in lab kernel place build 'command line' cpu compiler libc source date; do
	check "the record has its $key" grep -q "^# $key: ." "$record"
done
check "the record holds each verdict" test "$(grep -cE \
	'^(ok|not ok) [0-9]+ - [a-z-]+( # |$)' "$record")" -eq 4
check "the record names no folder of this machine" \
	not grep -qF -e "$root" -e "$build" -e "$tmp" "$record"

snapshot >"$tmp/before"
for ((i = 1; i <= 10; i++)); do
	run_lab
	check "run $i after it passes, and leaves all as it was" unchanged
	check "run $i finds the record current" is_record current
done

# What is no verdict may differ.
sed -i 's/^one byte/two bytes/; s/^# date: .*/# date: long ago/' "$record"
snapshot >"$tmp/before"
run_lab
check "text that differs is no drift" is_record current
check "and is not written again" unchanged

sed -i 's/^ok \([0-9]*\) - byte-comes-back$/not ok \1 - byte-comes-back/' \
	"$record"
snapshot >"$tmp/before"
cp "$record" "$tmp/flipped"
drift='.runs[0] | .status == "drift" and
	.reason == "claim byte-comes-back: recorded refuted, now holds"'
CI=1 run_lab
check "with CI set, a changed verdict is a drift" json "$drift"
check "and nothing is written" unchanged
run_lab
check "a changed verdict is a drift, and the difference is told" json "$drift"
check "its exit status is 1" exited 1
check "the record stays as it was" cmp "$record" "$tmp/flipped"
check "the new output lies beside it" \
	grep -qE '^ok [0-9]+ - byte-comes-back$' "$record.new"
cp "$record.new" "$tmp/new"
run "$runner" --source "$tree" tests/labs/behaves
check "the text tells the difference" \
	said "claim byte-comes-back: recorded refuted, now holds"
check "and how to adopt it" said 'runner accept'

run "$runner" accept --source "$tree" tests/labs/behaves
check "accept succeeds" exited 0
check "accept makes the new output the record" recorded
check "the adopted record is the new output" \
	diff <(grep -v '^# date' "$record") <(grep -v '^# date' "$tmp/new")
run_lab
check "after it, the record is current" is_record current
run "$runner" accept --source "$tree" tests/labs/behaves
check "a second accept finds no drift" exited 1
check "and says so" complained "no drift to adopt"

# The note expects otherwise: such a run becomes no record.
sed -i '/^ok.* - byte-comes-back$/s/^ok/not ok/' "$record"
run_lab
sed -i '/^ok.* - byte-comes-back$/s/^ok/not ok/' "$record.new"
cp "$record" "$tmp/flipped"
run "$runner" accept --source "$tree" tests/labs/behaves
check "accept refuses a verdict that the note does not expect" exited 1
check "it names the claim" complained byte-comes-back
check "and leaves the record" cmp "$record" "$tmp/flipped"
rm "$record.new"

# broken WHAT COMPLAINT [MODE] - the record as it is now, with MODE if given,
# cannot be read.
broken() {
	cp "$record" "$tmp/broken"
	chmod "${3:-644}" "$record"
	run "${plain_user[@]}" "$runner" --source "$tree" --format json \
		tests/labs/behaves
	check "$1: exit status 1" exited 1
	# shellcheck disable=SC2016 # jq's variable
	check "$1: a drift that says why" json '.runs[0] |
		.status == "drift" and (.reason | test($re))' --arg re "$2"
	chmod 644 "$record"
	check "$1: it stays" cmp "$record" "$tmp/broken"
	run "$runner" accept --source "$tree" tests/labs/behaves
	check "$1: accept mends it" exited 0
	run_lab
	check "$1: and all is well again" is_record current
}

# Root may read and write everything; without these two it is like the others.
plain_user=()
if [[ $(id -u) -eq 0 ]]; then
	plain_user=(setpriv
		"--bounding-set=-dac_override,-dac_read_search")
fi
head -c 600 "$tmp/new" >"$record"
broken "a truncated record" '\.out is truncated'
: >"$record"
broken "an empty record" '\.out is truncated'
head -c 5000 /dev/zero >"$record"
broken "a record of zeros" '\.out is truncated'
if "${plain_user[@]}" true; then
	broken "an unreadable record" 'cannot read .*Permission denied' 0

	rm -r "$lab/records"
	find "$tree" -type d -exec chmod a-w {} +
	snapshot >"$tmp/before"
	run "${plain_user[@]}" "$runner" --source "$tree" --format json \
		tests/labs/behaves
	check "in a read-only tree, the lab runs" json '
		.runs[0].claims | length == 4 and all(.as_expected)'
	check "it says that it could not record" json '
		.runs[0] | .status == "error" and
		(.reason | startswith("could not record: "))'
	check "the exit status says so" exited 99
	check "and nothing has changed" unchanged
	run "${plain_user[@]}" "$runner" --check --source "$tree" \
		tests/labs/behaves
	check "with --check, it passes" exited 0
	chmod -R u+w "$tree"
else
	echo "left out: root, who may write anywhere, cannot give that up here"
fi

# One writes, the others find it written; none sees half a record.
runners=()
for ((i = 1; i <= 4; i++)); do
	env "$mark" "$runner" --source "$tree" --format json \
		tests/labs/behaves >"$tmp/out.$i" &
	runners+=($!)
done
status=0
for pid in "${runners[@]}"; do
	wait "$pid" || status=$?
done
cat "$tmp"/out.[1-4] >"$tmp/out"
check "four runners at once pass" exited 0
check "one of them writes the record, three find it current" \
	test "$(jq -r '.runs[0].record' "$tmp/out" | sort | uniq -c | xargs)" \
	= "3 current 1 new"
check "and there is one record" recorded

run "$runner" --source "$tree" tests/labs/fails
check "a run that failed becomes no record" not test -e \
	"$tree/tests/labs/fails/records"
finish
