#!/usr/bin/env bash
# test.sh [CTEST-ARG...] - from nothing to every test run: install what is
# missing, build, run ctest; say at the end what was skipped, and why.
#
# PRESET in the environment picks a build other than the default one.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# In a hook, these would turn the git of a test to this repository.
unset "${!GIT_@}"

preset=${PRESET:-default}
dir=build
[[ $preset == default ]] || dir=build-$preset
said=$dir/Testing/ctest.txt
log=$dir/Testing/Temporary/LastTest.log

# What ctest said counts and names the tests; its log holds their output, and
# there each unmet need. A skipped test that names none has its last line for
# a reason.
summary() {
	awk '
	FNR == 1 { file++; listing = 0 }
	file == 1 && /^[0-9]+% tests passed, / { total = $NF; failed = $4 }
	/^The following tests did not run:$/ { listing = file == 1 }
	listing && / - .* \((Skipped|Disabled)\)/ {
		name = $0
		sub(/^[^-]* - /, "", name)
		sub(/ \([A-Z][a-z]*\).*/, "", name)
		skipped[name] = 1
		n_skipped++
		if (/\(Disabled\)/) # which ctest does not count
			total++
	}
	file == 2 && /^[0-9]+\/[0-9]+ Testing: / {
		name = $0
		sub(/^[^:]*: /, "", name)
		unmet = ""
		last = "(no reason given)"
		inside = 0
	}
	file == 2 && /^Output:$/ && !inside { inside = 1; getline; next }
	file == 2 && /^<end of output>$/ {
		inside = 0
		if (unmet == "" && name in skipped)
			unmet = "\n\t" last
		if (unmet != "")
			print (name in skipped ? "skipped: " : \
				"ran in part: ") name unmet
	}
	inside && sub(/^.*# unmet /, "") { unmet = unmet "\n\t" $0; next }
	inside && NF { last = $0 }
	END {
		passed = total - failed - n_skipped
		if (passed + failed == 0)
			print "nothing ran"
		printf "%d passed, %d failed, %d skipped\n",
			passed, failed, n_skipped
		exit (passed == 0)
	}' "$said" "$log"
}

ci/setup.sh build test
ci/build.sh "$preset"
mkdir -p "$dir/Testing/Temporary"
: >"$log" # ctest leaves the old one where no test matches
status=0
ctest --test-dir "$dir" --output-on-failure --no-tests=error -j2 "$@" 2>&1 |
	tee "$said" || status=$?
echo
summary || status=1
exit "$status"
