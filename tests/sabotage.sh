#!/usr/bin/env bash
# sabotage.sh [BUILD] - a note and a lab that do not agree, for each lab of
# labs/: a claim removed from the note, one added, one moved to the other list,
# and one condition negated in C. Each must be noticed, and the claim named.
# shellcheck disable=SC2016 # Markdown's and jq's
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

# The output of a lab is replayed under each note: it is not the lab that
# changes. So there is one run of all, and another of all that are negated.
tree=$tmp/tree
copy_sources "$tree"
cp -rL "$root"/labs/*/ "$tree/labs"
rm -rf "$tree"/labs/*/records
jobs=$(nproc)
# On the host only: a guest takes its time, and has tests of its own.
run "$runner" --source "$tree" --kernel host --format json -j "$jobs"
cp "$tmp/out" "$tmp/plain"

# of LAB FILTER - what the run before any sabotage says of a lab
of() {
	jq -r --arg lab "$1" ".runs[] | select(.lab == \$lab) | $2" "$tmp/plain"
}

labs=()
for dir in "$root"/labs/*/; do
	lab=$(basename "$dir")
	what=$(of "$lab" .status)
	if [[ $what == skip ]]; then
		echo "skipped: $lab, $(of "$lab" .reason)"
		continue
	fi
	check "$lab passes before any sabotage" test "$what" = pass
	[[ $what != pass ]] || labs+=("$lab")
done
[[ ${#labs[@]} -gt 0 ]] || skip "no lab can run here"

replay=$tmp/replay
mkdir "$replay"
cp "$runner" "$replay"
for lab in "${labs[@]}"; do
	mkdir -p "$replay/labs/$lab"
	printf '#!/bin/sh\nexec cat "%s"\n' "$tree/labs/$lab"/records/*.out \
		>"$replay/labs/$lab/$lab"
	chmod +x "$replay/labs/$lab/$lab"
	cp "$tree/labs/$lab/note.md" "$replay/labs/$lab"
done

# A claim's item in the note: its line, and all before the next one.
without() {
	awk -v item="- \`$1\`:" '
		/^- / { inside = index($0, item) == 1 }
		/^#/ { inside = 0 }
		!inside'
}

only() {
	awk -v item="- \`$1\`:" '
		/^- / { inside = index($0, item) == 1 }
		/^#/ { inside = 0 }
		inside && NF'
}

# under HEADING TEXT - put TEXT first under HEADING, which is made if needed
under() {
	text=$2 awk -v heading="## $1" '
		{ print }
		$0 == heading { print "\n" ENVIRON["text"]; done = 1 }
		END {
			if (!done)
				print "\n" heading "\n\n" ENVIRON["text"]
		}'
}

# moved ID HEADING NOTE - with a second paragraph, which Refuted demands
moved() {
	without "$1" <"$3" | under "$2" "$(only "$1" <"$3")"$'\n\n  Not so.\n'
}

# sabotaged LAB HOW CLAIM REASON - run it with the note that stands on stdin
sabotaged() {
	local lab=$1

	cat >"$tree/labs/$lab/note.md"
	run "$replay/runner" --check --source "$tree" --format json "$lab"
	check "$lab, $2: exit status 1" exited 1
	check "$lab, $2: $3 is named, and nothing else is wrong" json '
		.runs[0].reasons == [.runs[0].reasons[] |
		select(startswith("claim \($id): ") and contains($reason))] and
		(.runs[0].reasons | length == 1)' \
		--arg id "$3" --arg reason "$4"
	cp "$replay/labs/$lab/note.md" "$tree/labs/$lab/note.md"
}

for lab in "${labs[@]}"; do
	note=$replay/labs/$lab/note.md
	mapfile -t ids < <(of "$lab" '.claims[].id')
	check "$lab: each claim of the note is in the JSON" \
		test "$(printf '%s\n' "${ids[@]}")" \
		= "$(sed -n 's/^- `\([a-z0-9-]*\)`: .*/\1/p' "$note")"

	run "$replay/runner" --check --source "$tree" --format json "$lab"
	check "$lab, replayed: exit status 0" exited 0

	if [[ ${#ids[@]} -gt 1 ]]; then
		sabotaged "$lab" "a claim removed" "${ids[0]}" \
			"does not list it" < <(without "${ids[0]}" <"$note")
	fi
	sabotaged "$lab" "a claim added" nobody-proves-it "never reported it" \
		< <(under Claims '- `nobody-proves-it`: Not so.' <"$note")
	id=$(of "$lab" '[.claims[] | select(.verdict == "holds")][0].id')
	if [[ $id != null ]]; then
		sabotaged "$lab" "a claim refuted" "$id" \
			"expected refuted, came out true: labs/$lab/" \
			< <(moved "$id" Refuted "$note")
	fi
	id=$(of "$lab" '[.claims[] | select(.verdict == "refuted")][0].id')
	if [[ $id != null ]]; then
		sabotaged "$lab" "a refutation claimed" "$id" \
			"expected to hold, came out false: labs/$lab/" \
			< <(moved "$id" Claims "$note")
	fi
done

# negate ID FILE - claim("ID", X) becomes claim("ID", !(X)), wherever it stands
negate() {
	id=$1 perl -0pi -e '
		my $token = qr{"(?:\\.|[^"\\])*"|\x27(?:\\.|[^\x27\\])+\x27|[^()"\x27]};
		my $balanced = qr{((?:$token|\((?-1)\))*)};
		$n = s{\bclaim\((\s*"$ENV{id}",\s*)$balanced\)}{claim($1!($2))}g;
		END { exit !$n }' "$2"
}

# The first claim that holds and that C calls by its name.
declare -A negated
for lab in "${labs[@]}"; do
	while read -r id; do
		if negate "$id" "$tree/labs/$lab/$lab.c"; then
			negated[$lab]=$id
			break
		fi
	done < <(of "$lab" '.claims[] | select(.verdict == "holds").id')
	check "$lab has a claim to negate" test -n "${negated[$lab]:-}"
done
scratch=$tmp/scratch
run configure "$tree" "$scratch"
check "the negated labs can be configured" exited 0
run cmake --build "$scratch" -j "$jobs" --target "${!negated[@]}"
check "the negated labs build" exited 0
cp "$runner" "$scratch"

run "$scratch/runner" --check --source "$tree" --format json -j "$jobs" \
	"${!negated[@]}"
check "the negated labs: exit status 1" exited 1
for lab in "${!negated[@]}"; do
	id=${negated[$lab]}
	check "$lab, $id negated: named with file, line and condition" json '
		.runs[] | select(.lab == $lab) | .status == "fail" and
		any(.reasons[]; test("^claim \($id): expected to hold, came " +
		"out false: labs/\($lab)/\($lab).c:[0-9]+: !\\("))' \
		--arg lab "$lab" --arg id "$id"
	line=$(jq -r --arg lab "$lab" --arg id "$id" '.runs[] |
		select(.lab == $lab).claims[] | select(.id == $id).where |
		sub(".*:"; "")' "$tmp/out")
	# Of a call over several lines, gcc names the first and clang the last.
	check "$lab, $id negated: line $line is the one" test "$(awk \
		-v line="$line" 'NR <= line && match($0,
		/(claim|refuted|control)\("[^"]*"/) {
			call = substr($0, RSTART, RLENGTH)
		}
		END { print call }' "$tree/labs/$lab/$lab.c")" \
		= "claim(\"$id\""
done
finish
