#!/usr/bin/env bash
# bench.sh SUBJECT - measure notelab itself. Nothing is judged; what a table
# needs and does not find is skipped, with the remedy.
#
# ci/bench.sh guests   from the command line to a verdict, on each kernel
#
# In the environment: RUNNER (default build/runner), RUNS (default 5), LAB
# (default eventfd), KERNELS (default "6.1 6.12 6.1-rt 6.12-rt").
set -euo pipefail

root=$(dirname "$(dirname "$(realpath "$0")")")
runner=${RUNNER:-$root/build/runner}
runs=${RUNS:-5}
lab=${LAB:-eventfd}
kernels=${KERNELS:-6.1 6.12 6.1-rt 6.12-rt}
export LC_ALL=C

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

skip() {
	echo "# unmet $1: found $2; remedy: $3"
	exit 77
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# In microseconds, which a comma-free locale makes of EPOCHREALTIME.
now() {
	echo "${EPOCHREALTIME/./}"
}

# Milliseconds as seconds.
seconds() {
	awk -v ms="$1" 'BEGIN { printf "%.2f", ms / 1000 }'
}

machine() {
	local cpu qemu
	cpu=$(sed -n 's/^model name[\t ]*: *//p' /proc/cpuinfo | sort -u |
		head -n 1)
	qemu=$("$real_qemu" --version | sed -n '1s/.*version //p')
	echo "machine  ${cpu:-unknown CPU}, $(nproc) cores"
	echo "kernel   $(uname -sr)"
	echo "QEMU     $qemu"
	echo "load     $(cut -d' ' -f1 /proc/loadavg) before the first run"
	echo "lab      $lab, median of $runs runs"
}

# A QEMU first on PATH that notes how long the real one lived. The lab's
# output and the exit status pass through it.
wrap_qemu() {
	mkdir "$tmp/bin"
	cat >"$tmp/bin/qemu-system-x86_64" <<-END
		#!/bin/bash
		start=\$EPOCHREALTIME status=0
		"$real_qemu" "\$@" || status=\$?
		end=\$EPOCHREALTIME
		echo \$(((\${end/./} - \${start/./}) / 1000)) >>"$tmp/qemu"
		exit \$status
	END
	chmod +x "$tmp/bin/qemu-system-x86_64"
}

# A QEMU with nothing to run, from its start to its end.
bare_qemu() {
	local i start
	for ((i = 0; i < runs; i++)); do
		start=$(now)
		echo quit | "$real_qemu" -nodefaults -no-user-config \
			-display none -nic none -M pc -accel tcg -cpu max \
			-smp 2 -m 512M -S -monitor stdio >"$tmp/monitor"
		echo $((($(now) - start) / 1000))
	done | median
}

# run_lab KERNELS RUNNER-ARG... - the milliseconds of one run in $took.
run_lab() {
	local start status=0
	start=$(now)
	"$runner" --check --format json --kernel "$@" "$lab" \
		>"$tmp/out" 2>"$tmp/err" || status=$?
	took=$((($(now) - start) / 1000))
	[[ $status -eq 0 ]] && return
	echo "bench.sh: runner --kernel $* $lab: exit status $status" >&2
	cat "$tmp/err" "$tmp/out" >&2
	exit 1
}

# What the lab itself took, by the runner's JSON.
lab_ms() {
	sed -n 's/.*"wall_ms": *\([0-9]*\).*/\1/p' "$tmp/out" | head -n 1
}

# row KERNEL RUNNER-ARG... - the medians, each of its own.
row() {
	local kernel=$1 i what
	for what in total qemu lab ours; do
		: >"$tmp/$what"
	done
	for ((i = 0; i < runs; i++)); do
		PATH=$tmp/bin:$PATH run_lab "$@"
		echo "$took" >>"$tmp/total"
		lab_ms >>"$tmp/lab"
		echo $((took - $(tail -n 1 "$tmp/qemu"))) >>"$tmp/ours"
	done
	printf '%-10s' "$kernel"
	for what in total qemu lab ours; do
		printf ' %8s' "$(seconds "$(median <"$tmp/$what")")"
	done
	echo
}

# all_at_once JOBS RUNNER-ARG... - every kernel by one command.
all_at_once() {
	local jobs=$1 i total
	shift
	total=$(for ((i = 0; i < runs; i++)); do
		run_lab "${found// /,}" -j"$jobs" "$@"
		echo "$took"
	done | median)
	printf '%-10s %8s\n' "all, -j$jobs" "$(seconds "$total")"
}

# table TITLE RUNNER-ARG... - one row each, then all of them.
table() {
	local title=$1 kernel
	shift
	printf '\n%-10s %8s %8s %8s %8s\n' "$title" total QEMU lab ours
	for kernel in $found; do
		row "$kernel" "$@"
	done
	all_at_once 4 "$@"
	all_at_once 2 "$@"
}

guests() {
	local kernel dir
	real_qemu=$(command -v qemu-system-x86_64) ||
		skip qemu "no qemu-system-x86_64 on PATH" "ci/setup.sh guest"
	[[ -x $runner ]] || skip runner "no $runner" ci/build.sh
	found=
	for kernel in $kernels; do
		dir=${XDG_CACHE_HOME:-$HOME/.cache}/notelab/kernels/$kernel
		if [[ -d $dir ]]; then
			found=${found:+$found }$kernel
		else
			echo "# unmet kernel:$kernel: found none prepared;" \
				"remedy: runner kernels fetch $kernel"
		fi
	done
	[[ $found ]] || exit 77

	wrap_qemu
	machine
	echo "bare     QEMU starts and ends in $(seconds "$(bare_qemu)") s"
	echo
	echo "Seconds: total is the command, QEMU the life of its process,"
	echo "lab what the lab took in there, ours the rest: to ask for the"
	echo "needs, write the initramfs, judge."
	table cold
	# A run that finds no snapshot makes it first.
	run_lab "${found// /,}" -j2 --warm
	table warm --warm
}

case ${1-} in
guests) guests ;;
*)
	echo "usage: ci/bench.sh guests" >&2
	exit 2
	;;
esac
