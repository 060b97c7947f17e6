#!/usr/bin/env bash
# plot.sh LAB SCRIPT.gp OUT.svg - run a lab's demo and draw its series. Fails
# when gnuplot complains or draws no curve; skips where the lab or gnuplot
# cannot run.
set -euo pipefail

lab=$1 script=$2 svg=$3

if ! command -v gnuplot >/dev/null; then
	echo "# unmet tool:gnuplot: found not on PATH; remedy: install gnuplot-nox"
	exit 77
fi
output=$(mktemp)
trap 'rm -f "$output" "$svg.new"' EXIT

status=0
"$lab" >"$output" || status=$?
if [ "$status" -ne 0 ]; then
	cat "$output"
	exit "$status"
fi
gnuplot -c "$script" "$output" >"$svg.new" 2>"$output.err" || status=$?
complaints=$(cat "$output.err")
rm -f "$output.err"
if [ "$status" -ne 0 ] || [ -n "$complaints" ]; then
	echo "$script: gnuplot, exit status $status: $complaints"
	exit 1
fi
# gnuplot names each curve in a group of its own.
series=$(sed -n 's/^# point \([^ ]*\) .*/\1/p' "$output" | sort -u | wc -l)
curves=$(grep -c 'id="gnuplot_plot_' "$svg.new" || true)
echo "$series series printed, $curves curves drawn"
[ "$curves" -gt 0 ]
mv "$svg.new" "$svg"
