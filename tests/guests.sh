#!/usr/bin/env bash
# guests.sh [BUILD] - what can go wrong with a guest does, for real: each run
# ends in time, with an outcome of its own and the console's last lines, and
# leaves neither QEMU nor files.
# shellcheck disable=SC2317 # check calls functions by name
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

unmet() {
	echo "# unmet $1: found $2; remedy: $3"
	exit 77
}

prepared=${XDG_CACHE_HOME:-$HOME/.cache}/notelab/kernels
[[ -e $prepared/6.1/vmlinux && -e $prepared/6.1/bzImage ]] ||
	unmet kernel:6.1 "none prepared" "runner kernels fetch 6.1"
[[ $(type -P qemu-system-x86_64) ]] ||
	unmet tool:qemu-system-x86_64 "it nowhere on PATH" \
		"install qemu-system-x86"

# A cache of our own, with kernels that boot and others that do not.
export XDG_CACHE_HOME=$tmp/cache
kernels=$XDG_CACHE_HOME/notelab/kernels
mkdir -p "$kernels"

# copy_kernel NAME - what a guest needs of it, without a snapshot
copy_kernel() {
	mkdir "$kernels/$1"
	cp "$prepared/$1"/{vmlinux,release,config} "$kernels/$1"
}

# new_kernel NAME - a folder for one that lacks but its image
new_kernel() {
	mkdir "$kernels/$1"
	cp "$prepared/6.1/release" "$kernels/$1"
}

copy_kernel 6.1
new_kernel no_init
LC_ALL=C sed 's|/init\x00|/none\x00|g' "$prepared/6.1/vmlinux" \
	>"$kernels/no_init/vmlinux"
new_kernel truncated
head -c 20M "$prepared/6.1/vmlinux" >"$kernels/truncated/vmlinux"
new_kernel garbage
head -c 1M /dev/urandom >"$kernels/garbage/bzImage"
# A bzImage without its end does not unpack itself.
new_kernel half
head -c 2M "$prepared/6.1/bzImage" >"$kernels/half/bzImage"
# It has the note that QEMU starts it by (PVH), and does nothing.
new_kernel idle
"$(cached CMAKE_C_COMPILER)" -nostdlib -static -no-pie -x assembler - \
	-Wl,-Ttext-segment=0x100000,-e,start,--build-id=none \
	-o "$kernels/idle/vmlinux" <<-'END'
	.section .note.pvh, "a", @note
	.long 4, 8, 18
	.asciz "Xen"
	.quad start
	.text
	.code32
	.globl start
	start:
	cli
	hlt
	jmp start
	END

declare -A pids
# start NAME COMMAND... - run it beside the others
start() {
	(
		export "${mark?}"
		exec "${@:2}"
	) </dev/null >"$tmp/$1.out" 2>"$tmp/$1.err" &
	pids[$1]=$!
}

# end NAME - wait for it, and leave what run leaves
end() {
	status=0
	wait "${pids[$1]}" || status=$?
	cp "$tmp/$1.out" "$tmp/out"
	cp "$tmp/$1.err" "$tmp/err"
}

# await COMMAND... - until it succeeds, 30 s at most
await() {
	local deadline=$((SECONDS + 30))

	until "$@"; do
		[[ $SECONDS -lt $deadline ]] || return 1
		sleep 0.05
	done
}

# find_qemu DIR - the QEMU of the only guest whose TMPDIR is DIR, in $qemu
find_qemu() {
	local comm

	qemu=
	# shellcheck disable=SC2013 # no blanks in these
	for comm in $(grep -lsx qemu-system-x86 /proc/[0-9]*/comm); do
		if grep -qsz "^TMPDIR=$1$" "${comm%comm}environ"; then
			qemu=${comm//[!0-9]/}
		fi
	done
	[[ $qemu ]]
}

signal_qemu() {
	find_qemu "$TMPDIR" && kill -s "$1" "$qemu"
}

lab_runs() {
	grep -qsx started "$1"/notelab-*/status
}

# expect LAB PLACE STATUS KIND VALUE REASON CONSOLE
expect() {
	# shellcheck disable=SC2016 # jq's variables
	check "$1 on $2: $3, $4 $5: $6" json '
		.runs[] | select(.lab == $lab and .place == $place) |
		.status == $status and
		.exit == {kind: $kind, value: ($value | tonumber)} and
		any(.reasons[]; test($reason)) and
		(.console // "" | test($console))' \
		--arg lab "$1" --arg place "$2" --arg status "$3" \
		--arg kind "$4" --arg value "$5" --arg reason "$6" \
		--arg console "$7"
}

guest=("$runner" --check --format json --kernel 6.1)

# Two boots of half a minute each, in which the rest is tested.
mkdir "$tmp/idle"
start idle env TMPDIR="$tmp/idle" timeout 90 "$runner" --check --format json \
	--kernel idle tests/labs/behaves

start one "${guest[@]}" tests/labs/behaves
start two "${guest[@]}" tests/labs/behaves
for name in one two; do
	end "$name"
	check "two runners at once: $name passes" exited 0
done

run "$runner" --check --format json -j4 \
	--kernel no_init,truncated,garbage,half tests/labs/behaves
check "kernels that do not boot: exit status 1" exited 1
expect behaves no_init fail panic 0 \
	'^the guest panicked: Kernel panic - .* \(before the lab\)$' \
	'Kernel panic'
expect behaves truncated fail boot-failure 0 \
	'^the guest did not boot: QEMU: status 1, .*rror while loading' '^$'
expect behaves garbage fail boot-failure 0 \
	'^the guest did not boot: QEMU: status 1, .*kernel' '^$'
expect behaves half fail boot-failure 0 '^the guest did not boot: ' '^$'

run "${guest[@]}" -j3 tests/labs/guest_{panics,powers_off,fills_memory}
check "labs that end their guest: exit status 1" exited 1
expect guest_panics 6.1 fail panic 0 \
	'^the guest panicked: Kernel panic - not syncing: sysrq' \
	'</TASK>'
expect guest_powers_off 6.1 error lost 0 \
	'^its exit status was lost: reset or powered off; .*reboot: Power' \
	'reboot: Power down'
expect guest_fills_memory 6.1 fail signal 9 \
	'^killed by SIGKILL: Out of memory: Killed process .*guest_fills_m' \
	'Out of memory'

run "${guest[@]}" -j2 --timeout 1 tests/labs/guest_{hangs,floods}
check "labs without an end: exit status 1" exited 1
limit=$(jq '.runs[0] | if .accel == "tcg" then 3 else 1 end' "$tmp/out")
expect guest_hangs 6.1 fail timeout "$limit" \
	"^no end within $limit s; killed\$" 'init: the lab starts'
expect guest_floods 6.1 fail timeout "$limit" \
	"^no end within $limit s; killed\$" 'xxxx'
check "each was killed in time" json 'all(.runs[]; .wall_ms < 20000)'
check "a flood is cut" test "$(stat -c %s "$tmp/out")" -lt 8000000

start killed "${guest[@]}" --timeout 20 tests/labs/hangs
check "the lab runs" await lab_runs "$TMPDIR"
check "QEMU is killed" signal_qemu KILL
end killed
check "QEMU is killed: exit status 1" exited 1
expect hangs 6.1 error lost 0 \
	'^its exit status was lost: QEMU was ended by SIGKILL; ' \
	'init: the lab starts'

start stopped "${guest[@]}" --timeout 1 tests/labs/hangs
check "the lab runs" await lab_runs "$TMPDIR"
check "QEMU is stopped" signal_qemu STOP
end stopped
expect hangs 6.1 fail timeout "$limit" "^no end within $limit s; killed\$" \
	'init: the lab starts'

start interrupted "${guest[@]}" tests/labs/behaves
check "the guest boots" await find_qemu "$TMPDIR"
since=$SECONDS
kill -INT "${pids[interrupted]}"
end interrupted
check "Ctrl-C in a boot: it dies by the signal" exited 130
check "Ctrl-C in a boot: at once" test $((SECONDS - since)) -lt 10
expect behaves 6.1 fail timeout $((60 * limit)) '^stopped by SIGINT$' ''

PATH=$tmp/none run "${guest[@]}" tests/labs/behaves
check "without QEMU: exit status 99" exited 99
expect behaves 6.1 error exit 0 \
	'^no qemu-system-x86_64 on PATH; install qemu-system-x86$' '^$'

PATH=$tmp/none run "$runner" --check kmemleak
check "without QEMU, a lab for a guest: exit status 77" exited 77
check "without QEMU, a lab for a guest: the remedy is named" \
	said "prepare one with: apt-get install"

# with_room SIZE COMMAND... - with a TMPDIR that holds no more
with_room() {
	# shellcheck disable=SC2016 # that shell's
	unshare --mount "${as_root[@]}" sh -c '
		mount -t tmpfs -o size="$1" none "$TMPDIR" &&
		shift && exec "$@"' sh "$@"
}

as_root=()
[[ $EUID -eq 0 ]] || as_root=(--user --map-root-user)
if with_room 1m true 2>"$tmp/err"; then
	run with_room 256k "${guest[@]}" tests/labs/behaves
	check "a disk too full for the files: exit status 99" exited 99
	expect behaves 6.1 error exit 0 'No space left on device' '^$'
else
	echo "left out: a full disk, for no mount namespace can be made"
fi

XDG_CACHE_HOME=$tmp/empty run "$runner" --check kmemleak
check "without a guest: exit status 77" exited 77
check "without a guest: the command that prepares it is named" \
	said "runner kernels build debug"

if [[ -e $prepared/6.12/vmlinux ]]; then
	copy_kernel 6.12
	run "$runner" --check -j2 --kernel host,6.1,6.12 eventfd memfd_seal
	check "host, 6.1 and 6.12: exit status 0" exited 0
	check "they stand in a table" \
		grep -qE '^ +host +6\.1 +6\.12$' "$tmp/out"
	check "a skip has its footnote" \
		grep -q '^\[1\] MFD_NOEXEC_SEAL, ' "$tmp/out"
fi

end idle
check "a kernel that never comes up: in time, exit status 1" exited 1
expect behaves idle fail boot-failure 0 \
	'^the guest did not boot: killed after 3[0-9] s; ' '^$'
check "a kernel that never comes up: no file is left" is_empty "$tmp/idle"
finish
