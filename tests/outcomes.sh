#!/usr/bin/env bash
# outcomes.sh [BUILD [group|user]] - each lab of tests/labs/ ends in time, with
# the outcome that is its own, and leaves nothing.
#
# With "group" where no PID namespace can be made, with "user" where only a
# user namespace allows one; else however this machine has it.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/lib.sh
source "$here/lib.sh"

mode=${2:-any}
case $mode in
any) within=() ;;
group)
	within=(unshare --user --map-root-user sh -c
		'echo 0 >/proc/sys/user/max_pid_namespaces; exec "$@"' sh)
	;;
user) within=(unshare --user --map-user=1000 --map-group=1000) ;;
esac
"${within[@]}" true || skip "no user namespaces here"

# Those that never end get the shortest time, the others all that they need.
endless=(closes_stdout floods fork_bomb hangs ignores_term stops_itself)
mapfile -t all < <(cd "$root/tests/labs" &&
	printf '%s\n' */ | tr -d / | grep -v ^guest_) # those of guests.sh
mapfile -t ending < <(printf '%s\n' "${all[@]}" "${endless[@]}" | sort | uniq -u)

# run_labs TIMEOUT LAB...
run_labs() {
	run "${within[@]}" "$runner" --check --format json -j4 \
		--timeout "$1" "${@:2}"
}

# expect LAB STATUS KIND VALUE VERDICTS [REASON]
declare -A expected
expect() {
	expected[$1]=1
	# shellcheck disable=SC2016 # jq's variables
	check "$1: $2, $3 $4, $5: ${6:-no reason}" json '
		.runs[] | select(.lab == $lab) | .status == $status and
		.exit == {kind: $kind, value: ($value | tonumber)} and
		([.claims[].verdict] | join(",")) == $verdicts and
		if $reason == "" then .reason == null
		else any(.reasons[]; test($reason)) end' \
		--arg lab "$1" --arg status "$2" --arg kind "$3" \
		--arg value "$4" --arg verdicts "$5" --arg reason "${6:-}"
}

run_labs 60 "${ending[@]/#/tests/labs/}"
check "labs that end by themselves: exit status 1" exited 1
expect behaves pass exit 0 holds,holds,skipped,refuted
expect binary_output pass exit 0 holds,skipped
expect long_line pass exit 0 holds
expect removes_cwd pass exit 0 holds
expect fails fail exit 1 refuted,holds \
	'^claim close-twice: expected to hold, came out false: tests/labs/fails/fails.c:[0-9]+: errno_of\(close\(fd\)\) == 0$'
expect skips skip exit 77 '' '^need config:NO_SUCH_OPTION: found .*; remedy: '
expect skips_unnamed error exit 77 '' 'skipped without naming a need'
expect dies fail signal 11 holds,missing '^killed by SIGSEGV$'
expect aborts fail signal 6 holds '^killed by SIGABRT$'
expect forks_away fail exit 0 holds '^it left 1 process'
expect leaves_children fail exit 0 holds '^it left 3 processes'
expect leaves_files fail exit 0 holds '^it left 3 files in its temporary folder$'
expect breaks_setup error exit 99 holds "set-up failed"
expect ends_silent fail exit 0 holds '^the output has no plan$'
expect two_plans fail exit 0 holds '^a second plan, 1\.\.1$'
expect long_plan fail exit 0 holds \
	'^the plan says 1\.\.3, but 1 verdict lines came$'
expect exits_zero fail exit 0 refuted '^claim said-before: .* came out false'
expect exits_one fail exit 1 holds \
	'^exit status 1, though each verdict is as expected$'
expect vacuous fail exit 1 vacuous '^claim getpid-works: its control failed'
expect no_control_at_all fail exit 0 holds \
	'^claim said-before: it has neither control\(\) nor no_control\(\)'
for reason in '^a second verdict on forged-after$' \
	'^a second verdict on forged-before$' \
	'^claim forged-after: expected to hold, came out false' \
	'^claim forged-before: expected to hold, came out false' \
	'^claim kept-silent: .* never reported it$' \
	'^claim wrong-list: .* reports it with refuted\(\)' \
	'^claim made-up: .* does not list it$' \
	'^verdict line 5 has number 2$'; do
	expect lies fail exit 1 refuted,refuted,missing,holds,undeclared "$reason"
done
check "all unmet needs are named, and no other" json '
	.runs[] | select(.lab == "skips") |
	[.unmet[].need] == ["config:NO_SUCH_OPTION", "tool:no-such-tool"]'
# In a namespace, nobody inside can kill the keeper.
case $mode in
group) expect kills_parent error lost 0 holds 'its keeper died$' ;;
user) expect kills_parent fail signal 9 holds '^killed by SIGKILL$' ;;
any) check "kills_parent: killed, or its keeper was" json '
	.runs[] | select(.lab == "kills_parent").exit.kind |
	IN("signal", "lost")' ;;
esac
expected[kills_parent]=1
check "no lab was slow" json 'all(.runs[]; .wall_ms < 30000)'

run_labs 1 "${endless[@]/#/tests/labs/}"
check "labs without an end: exit status 1" exited 1
for lab in "${endless[@]}"; do
	[[ $lab == floods ]] ||
		expect "$lab" fail timeout 1 holds '^no end within 1 s; killed$'
done
expected[floods]=1
check "floods: fail, timeout" json '
	.runs[] | select(.lab == "floods") |
	.status == "fail" and .exit == {kind: "timeout", value: 1}'
# One second, two of grace, and five for a machine that is busy.
check "each ended by its deadline and grace" json \
	'all(.runs[]; .wall_ms >= 1000 and .wall_ms < 8000)'
check "who ignores SIGTERM gets the grace" json '
	.runs[] | select(.lab == "ignores_term").wall_ms >= 3000'
check "who obeys SIGTERM is gone before" json '
	.runs[] | select(.lab == "hangs").wall_ms < 3000'

check "each lab of tests/labs/ has its expectation" \
	test "$(printf '%s\n' "${!expected[@]}" | sort)" \
	= "$(printf '%s\n' "${all[@]}")"

run "${within[@]}" "$runner" --check tests/labs/dies tests/labs/breaks_setup
check "the failed set-up is shown" \
	grep -qE 'breaks_setup.c:[0-9]+: open\(.*: ENOENT ' "$tmp/out"
sanitized ||
	check "the backtrace names the function" said load_forbidden_byte

run "${within[@]}" "$runner" --check tests/labs/skips
check "all skipped: exit status 77" exited 77

# The text of floods fills the pipe: the runner still lives when the first byte
# arrives, and has its largest size behind it.
exec {from}< <(exec env "$mark" "${within[@]}" "$runner" --check --timeout 1 \
	tests/labs/floods 2>&1)
read -rN 1 -u "$from" _
size=$(awk '/^VmHWM:/ { print $2 }' "/proc/$!/status")
cat <&"$from" >"$tmp/out"
sanitized || check "a flood leaves the runner below 64 MiB ($size kB)" \
	test "$size" -lt 65536
finish
