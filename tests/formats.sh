#!/usr/bin/env bash
# formats.sh [BUILD] - what the runner prints, for people and for machines,
# and what bad input gets.
# shellcheck disable=SC2016,SC2317 # jq's variables; check calls functions
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

tree=$tmp/tree
copy_labs "$tree"
odd=tests/labs
# A lab for each status, and nearly each verdict; none of them takes long.
labs=("$odd"/{behaves,binary_output,breaks_setup,dies,fails,lies,skips,vacuous})

run_labs() {
	run "$runner" --source "$tree" --check "$@"
}

# --- JSON

shape='
def text: type == "string" and length > 0;
def text_or_null: . == null or text;
def number: type == "number";
def has_keys($names): keys == ($names | sort);

def claim:
	has_keys(["id", "sentence", "really", "expected", "verdict", "control",
		"no_control", "where", "condition", "reason", "as_expected"])
	and (.id | text)
	and (.sentence, .really, .no_control, .condition, .reason |
		text_or_null)
	and (.expected | IN("holds", "refuted", null))
	and (.verdict | IN("holds", "refuted", "skipped", "missing",
		"undeclared", "vacuous"))
	and (.control | IN("held", "failed", "none"))
	and (.where | . == null or test("^[a-z_./0-9]+\\.c:[0-9]+$"))
	and (.as_expected | type == "boolean")
	and (.sentence == null) == (.verdict == "undeclared")
	and (.expected == null) == (.verdict == "undeclared")
	and (.as_expected or (.reason | text))
	and (.verdict != "skipped" or (.reason | text));

def run:
	has_keys(["lab", "title", "place", "kernel", "accel", "status",
		"reason", "reasons", "unmet", "claims", "metrics", "series",
		"exit", "console", "wall_ms", "user_ms", "sys_ms", "max_rss_kib",
		"record"])
	and (.lab, .place, .kernel | text)
	and (.title, .accel, .reason, .console | text_or_null)
	and (.status | IN("pass", "fail", "drift", "skip", "error"))
	and (.status == "pass") == (.reason == null)
	and (.status == "skip") == (.unmet != [])
	and .reason == .reasons[0]
	and all(.reasons[]; text)
	and all(.unmet[]; has_keys(["need", "found", "remedy"]) and
		(.need, .found, .remedy | text))
	and all(.claims[]; claim)
	and all(.metrics[]; has_keys(["name", "value", "unit"]) and
		(.name, .unit | text) and (.value | number))
	and all(.series[]; length > 0 and
		all(.[]; length == 2 and all(.[]; number)))
	and (.exit | has_keys(["kind", "value"]))
	and (.exit.kind | IN("exit", "signal", "timeout", "panic",
		"boot-failure", "lost"))
	and (.exit.value | number)
	and all(.wall_ms, .user_ms, .sys_ms, .max_rss_kib; number and . >= 0)
	and (.record | IN("current", "new", "drift", "none"));

length == 1 and (.[0] |
	has_keys(["notelab", "runs"]) and .notelab == 1 and all(.runs[]; run))'

# Of "def f: a, b | g" jq makes two results; all of them must be true.
fits() {
	[[ $(jq --slurp "[$shape] | all" "$tmp/out") == true ]]
}

run_labs --format json "${labs[@]}"
cp "$tmp/out" "$tmp/json"
check "JSON: one document, and nothing else on stdout" json \
	'length == 1' --slurp
check "JSON: of the shape that docs/design.md gives it" fits
check "JSON: nothing on stderr" is_empty_file "$tmp/err"
check "JSON: each lab that was asked for, in that order" json \
	'[.runs[].lab] == ($labs | split(" "))' --arg labs "${labs[*]##*/}"
check "JSON: each status is there" json \
	'[.runs[].status] | unique == ["error", "fail", "pass", "skip"]'
check "JSON: a sentence is the note's, on one line" json 'any(.runs[].claims[];
	.id == "byte-comes-back" and .sentence ==
	"A byte written to a pipe can be read from its other end.")'
check "JSON: what is really so stands with what was refuted" json '
	any(.runs[].claims[]; .id == "pipe-is-endless" and .verdict == "refuted"
	and .really == "write(2) fails with EAGAIN once the pipe is full.")'
check "JSON: metrics and series" json '.runs[0] |
	.metrics[0].unit == "bytes" and
	.series == {squares: [[1, 1], [2, 4], [3, 9]]}'
check "JSON: why there is no control" json 'any(.runs[].claims[];
	.no_control == "the read would wait for ever")'
check "JSON: a skip tells need, found and remedy" json '
	any(.runs[].claims[]; .id == "never-settled" and .reason ==
	"the future: found the present; remedy: wait")'

# Every lab as it was recorded, so that this needs no time.
replay=$tmp/replay
mkdir "$replay"
cp "$runner" "$replay"
recorded=()
for record in "$root"/labs/*/records/*.out; do
	lab=${record%/records/*}
	lab=${lab##*/}
	mkdir -p "$replay/labs/$lab"
	printf '#!/bin/sh\nexec cat "%s"\n' "$record" >"$replay/labs/$lab/$lab"
	chmod +x "$replay/labs/$lab/$lab"
	recorded+=("$lab")
done
mapfile -t recorded < <(printf '%s\n' "${recorded[@]}" | sort -u)
run "$replay/runner" --source "$root" --check --format json "${recorded[@]}"
check "JSON of all records: of the same shape" fits
for lab in "${recorded[@]}"; do
	check "JSON of all records: each claim of $lab, with its sentence" \
		json '.runs[] | select(.lab == $lab) | all(.claims[]; .sentence)
		and [.claims[].id] == ($ids | split(" "))' \
		--arg lab "$lab" --arg ids "$(sed -n \
			's/^- `\([a-z0-9-]*\)`: .*/\1/p' \
			"$root/labs/$lab/note.md" | xargs)"
done

# --- JUnit

junit=$root/tests/junit.xsd
valid() {
	xmllint --noout --nonet --schema "$junit" "$1" 2>>"$tmp/err"
}

run_labs --format junit "${labs[@]}"
cp "$tmp/out" "$tmp/xml"
check "JUnit: valid" valid "$tmp/xml"
sed 's/ failures="[0-9]*"//' "$tmp/xml" >"$tmp/bad"
check "JUnit: the schema notices a missing attribute" not valid "$tmp/bad"
sed 's/<failure /<mishap /' "$tmp/xml" >"$tmp/bad"
check "JUnit: the schema notices an unknown element" not valid "$tmp/bad"
# counts ATTRIBUTE XPATH - whether the suites count what is there
counts() {
	[[ $(xmllint --xpath "sum(//@$1) = count($2)" "$tmp/xml") == true ]]
}
check "JUnit: the cases are counted" counts tests //testcase
check "JUnit: the failures are counted" counts failures //failure
check "JUnit: the errors are counted" counts errors //error
check "JUnit: the skipped are counted" counts skipped //skipped
check "JUnit: each claim is a case" test \
	"$(xmllint --xpath 'count(//testcase[@name != "run"])' "$tmp/xml")" \
	-eq "$(jq '[.runs[].claims[]] | length' "$tmp/json")"
check "JUnit: the output of what died is there" test "$(xmllint --xpath \
	'count(//testsuite[@name = "dies"]//system-out[contains(., "said-before")])' \
	"$tmp/xml")" -eq 1
run_labs --format junit --timeout 1 "$odd/hangs"
check "JUnit: the limit and the partial output of a hung lab" test "$(xmllint \
	--xpath 'count(//testcase[failure[contains(@message, "no end within 1 s")]
	and contains(system-out, "said-before")])' "$tmp/out")" -eq 1
check "JUnit: valid then, too" valid "$tmp/out"

# --- TAP

run_labs --format tap "${labs[@]}"
check "TAP: version 14" test "$(head -n 1 "$tmp/out")" = "TAP version 14"
check "TAP: the plan is the number of labs" said "1..${#labs[@]}"
check "TAP: subtests are indented and have their plan" \
	grep -qE '^    1\.\.4$' "$tmp/out"
run env TAP_VERSION=13 "$runner" --check --format tap "$odd/behaves"
check "TAP: version 13 for who asks for it" \
	test "$(head -n 1 "$tmp/out")" = "TAP version 13"
# prove searches a folder for tests: where none is of this name, it is an
# argument like any other.
cd "$tmp"
prove_program "$runner --check --format tap" "$odd/behaves" \
	"$odd/binary_output"
check "TAP: prove accepts what passes" said "Result: PASS"
prove_program "$runner --check --format tap" "$odd/fails"
check "TAP: prove sees what fails" said "Result: FAIL"
prove_program "" "$tmp/no_blanks/$odd/behaves/behaves"
check "TAP: prove accepts a demo alone" said "Result: PASS"
prove_program "" "$tmp/no_blanks/$odd/fails/fails"
check "TAP: prove sees a demo alone fail" said "Result: FAIL"
prove_program cat "$root"/labs/*/records/*.out
check "TAP: prove accepts every record" said "Result: PASS"

# --- text

# What the capture lets through: tab, newline, and printable UTF-8.
harmless() {
	! LC_ALL=C grep -qaP '[^\t\n\x20-\x7e\x80-\xff]|\xc2[\x80-\x9f]|\xe2\x80\xae' \
		"$1" && iconv -f UTF-8 -t UTF-8 "$1" >/dev/null
}

run_labs --verbose "${labs[@]}"
check "text: without a terminal, no colours and nothing that drives one" \
	harmless "$tmp/out"
check "text: sentences in the place of ids" \
	said "A byte written to a pipe can be read from its other end."
check "text: what is really so, below what was refuted" \
	said "write(2) fails with EAGAIN once the pipe is full."
check "text: 中文 of a lab is left as it is" said "plain text: 中文"
check "text: an escape sequence is shown" said '\x1b[2J'
check "text: lines are no wider than 80 columns" test "$(grep -E \
	'^  (holds|refuted|skipped|FAILED)' "$tmp/out" | wc -L)" -le 80
run_labs --color=always "$odd/behaves"
check "text: colours for who always wants them" said $'\033[32m'
run env NO_COLOR=1 "$runner" --check --color=always "$odd/behaves"
check "text: even with NO_COLOR" said $'\033[32m'
for format in json junit tap; do
	run_labs --color=always --format "$format" "${labs[@]}"
	check "$format: never a colour, never a byte that drives a terminal" \
		harmless "$tmp/out"
done
if script -qec true /dev/null >/dev/null 2>&1; then
	on_terminal() {
		run env TERM=xterm "$@" script -qec \
			"'$runner' --check $odd/behaves" /dev/null
	}
	on_terminal
	check "text: colours on a terminal" said $'\033[32m'
	on_terminal NO_COLOR=1
	check "text: none there with NO_COLOR" not said $'\033[32m'
	on_terminal TERM=dumb
	check "text: none on a dumb one" not said $'\033[32m'
else
	echo "left out: a terminal, which script(1) cannot make here"
fi

# --- an output that nobody takes

for command in list "run --check $odd/behaves" "--format json $odd/behaves" \
	doctor --help; do
	# shellcheck disable=SC2086 # words
	CI=1 run closed_pipe "$runner" $command
	check "a closed pipe ends \"runner $command\"" exited 99
	check "and it says why" complained "cannot write to stdout"
done
run full_disk "$runner" list
check "a full disk is an error" exited 99
# An endless lab ends with its reader, not with its deadline.
run closed_pipe "$runner" --check --timeout 60 "$odd/behaves" "$odd/hangs"
check "a closed pipe ends a run that has more to do" exited 99

# --- bad input

# bad STATUS COMPLAINT ARG... - on stderr
bad() {
	run "$runner" "${@:3}"
	check "runner ${*:3}: exit status $1" exited "$1"
	check "runner ${*:3}: $2" complained "$2"
}

bad 2 'no lab "memfd_sael"; did you mean memfd_seal?' memfd_sael
bad 2 'did you mean memfd_seal' labs/memfd
bad 2 'no lab "no/such/lab"' no/such/lab
bad 2 'no lab "../../etc"' ../../etc
bad 2 'no lab ""' ''
bad 2 "no lab \"$(printf '%0500d' 0)" "$(printf '%0500d' 0)"
bad 2 'no lab matches' -k '^no_such_lab$'
bad 2 'not a regular expression' -k '('
bad 2 'unknown format "yaml"' --format yaml
bad 2 'above 0' --timeout 0
bad 2 'above 0' -j many
bad 2 'no-such-option' --no-such-option
bad 99 'no source tree' --source "$tmp/nowhere"
bad 2 'no lab "memfd_sael"' accept memfd_sael

note=$tree/$odd/behaves/note.md
cp "$note" "$tmp/note"

# malformed WHAT REASON - with the note that stands on stdin
malformed() {
	cat >"$note"
	run_labs --format json "$odd/behaves"
	check "a note with $1: exit status 1" exited 1
	check "a note with $1: $2" json '.runs[0] | .status == "error" and
		(.reason | startswith("tests/labs/behaves/note.md:") and
		contains($re))' --arg re "$2"
	cp "$tmp/note" "$note"
}

edited() {
	sed "$1" "$tmp/note"
}

malformed "no front matter" 'note.md:1: expected front matter' \
	< <(sed 1,4d "$tmp/note")
malformed "nothing in it" 'note.md:1: expected front matter' </dev/null
malformed "half a front matter" 'expected "---"' < <(head -n 3 "$tmp/note")
malformed "broken YAML" 'note.md:2: front matter is not YAML' \
	< <(edited '2s/.*/title: one: two/')
malformed "no title" 'expected a line "title: ...' < <(edited 2d)
malformed "an unknown key" 'note.md:3: unknown key "tropic"' \
	< <(edited '3s/topic/tropic/')
malformed "an ill-formed id" 'ill-formed claim id "End_of_file"' \
	< <(edited 's/`end-of-file`/`End_of_file`/')
malformed "a duplicate id" 'duplicate claim id "end-of-file"; line 12 has it' \
	< <(edited 's/`never-settled`/`end-of-file`/')
malformed "an item without an id" 'note.md:12: expected an item such as' \
	< <(edited '12s/`//g')
malformed "an id without a sentence" 'expected ": " and a sentence' \
	< <(edited '12s/:.*//')
malformed "nothing really so" 'expected a second paragraph' \
	< <(edited '/EAGAIN/d')
malformed "no claims" 'expected claims' < <(edited '/^## /d')
malformed "a NUL" 'found \x00' < <(edited '8s/.*/~/' | tr '~' '\0')
malformed "an escape sequence" 'note.md:12: ' \
	< <(edited '12s/read/\x1b[2Jread/')
malformed "invalid UTF-8" 'note.md:12: ' < <(edited '12s/read/\xff/')

mv "$note" "$tmp/gone"
run_labs "$odd/behaves"
check "a lab without a note: exit status 1" exited 1
check "a lab without a note: the file is named" \
	said 'tests/labs/behaves/note.md: No such file or directory'
mv "$tmp/gone" "$note"

edited '2s/.*/title: 管道的两端/
	s/A byte written to a pipe can be/写进管道的一个字节，/
	s/read from its other end\./可以从另一端读出来。它在内核里等着，直到有人来取走它，一个也不少，一个也不多。/' \
	>"$note"
run_labs --format json "$odd/behaves"
check "a note in Chinese: passes" exited 0
check "a note in Chinese: the sentence is whole" json '.runs[0] |
	.title == "管道的两端" and (.claims[0].sentence |
	startswith("写进管道的一个字节，") and endswith("一个也不多。"))'
run_labs "$odd/behaves"
check "a note in Chinese: shown" said 管道的两端
run_labs --format junit "$odd/behaves"
check "a note in Chinese: valid JUnit" valid "$tmp/out"

rm "$tree/labs/memfd_seal/note.md"
run "$runner" list --source "$tree"
check "list, with a lab without a note: exit status 1" exited 1
check "list names the note" complained 'memfd_seal/note.md'
check "list shows the others" test "$(grep -c ' claims ' "$tmp/out")" -gt 0
finish
