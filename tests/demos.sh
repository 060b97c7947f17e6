#!/usr/bin/env bash
# demos.sh [BUILD] - each demo alone, without the runner: prove accepts what it
# prints.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

for dir in "$root"/labs/*/; do
	lab=$(basename "$dir")
	demo=$build/labs/$lab/$lab
	run "$demo" --needs
	check "$lab --needs: each line is name, met or unmet, found, remedy" \
		not grep -qvE $'^[^\t]+\t(met|unmet)\t[^\t]+\t[^\t]*$' "$tmp/out"
	if grep -q $'\tunmet\t' "$tmp/out"; then
		echo "skipped: $lab: $(grep $'\tunmet\t' "$tmp/out")"
		run "$demo"
		check "$lab, which must skip: exit status 77" exited 77
		check "$lab, which must skip: its plan says so" said '1..0 # SKIP'
		continue
	fi
	prove_program "" "$tmp/no_blanks/labs/$lab/$lab"
	check "$lab: prove accepts it" said "Result: PASS"
done
finish
