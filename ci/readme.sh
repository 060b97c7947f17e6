#!/usr/bin/env bash
# readme.sh [--check] - put the table of labs, as build/runner makes it from
# the notes, between the markers of README.md; with --check only compare.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

begin='<!-- labs: made by ci/readme.sh -->'
end='<!-- end of labs -->'
new=$(mktemp)
trap 'rm -f "$new"' EXIT

if ! grep -qxF "$begin" README.md || ! grep -qxF "$end" README.md; then
	echo "README.md: expected the lines '$begin' and '$end'" >&2
	exit 1
fi
table=$("${RUNNER:-build/runner}" list --source . --markdown)
awk -v begin="$begin" -v end="$end" -v table="$table" '
	$0 == end { inside = 0 }
	!inside
	$0 == begin { inside = 1; print "\n" table "\n" }' README.md >"$new"
if [[ ${1-} == --check ]]; then
	diff -u README.md "$new" || {
		echo "README.md is stale; run ci/readme.sh" >&2
		exit 1
	}
else
	cmp -s "$new" README.md || cat "$new" >README.md
fi
