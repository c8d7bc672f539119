#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kill -9 of skepd before every step of a bind (or of settling what the uplink program has bound), a
# refill, a release and a recycling; at steps of its take-over and its stop; of a keeper at steps of a
# start and a removal; and at random under load. strace counts the system calls and sends the signal as
# one is entered, so that it is the first that did not happen. After each death: what has a lease answers,
# unless its container was just being told of it, and nothing else does; the next skepd starts, and
# everything holds. A bound address is pinged through all of it.
#
# CRASH_POINTS: how many steps are taken of the long sequences (take-over, stop, keepers)
# CRASH_KILLS: how many random kills
# CRASH_SEED: which steps, and when
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/trace.sh"

WARM=2 MAX=6
CRASH_POINTS=${CRASH_POINTS:-4} CRASH_KILLS=${CRASH_KILLS:-10} CRASH_SEED=${CRASH_SEED:-$((EPOCHSECONDS % 10000))}
RANDOM=$CRASH_SEED

is_over() { skepd_gone || "$1" 2>/dev/null; }

# Nobody but a lease makes an address answer, and every lease does but one that is being settled. Where
# the uplink program binds, asking may make one.
wire_agrees() {
	local before after answered=no patience=0.3
	before=$(lease_state "$address")
	[[ $before != [13] ]] || patience=3 # which an answer does not take
	! router arping -q -c 3 -C 1 -w "$patience" -I "$LAB_LAN" "$address" 2>/dev/null || answered=yes
	after=$(lease_state "$address")
	case $BIND:$before:$answered:$after in
	*:3:yes:3 | *::no: | kernel:1:yes:1 | kernel:2:no:2 | kernel::yes:1) ;;
	*) echo "$address: state '$before', then '$after', answered: $answered" ;;
	esac
}

# died WHERE: after a death: nothing is wrong meanwhile, nor when the next one has taken over
died() {
	local wire=''
	skepd_reap 2>/dev/null || true
	[[ -z $asking ]] || kill "$asking" 2>/dev/null || true
	wire=$(wire_agrees)
	skepd_start >"$tmp/output" 2>&1 || fail "$1: the next one starts" "$(cat "$tmp/output")"
	wait_until 20 farm_settled || true
	await_holds
	check_eq "killed $1" '' "$wire$broken"
}

# kill_before WHAT NAME N: skepd dies before the N-th system call NAME of it
kill_before() {
	descriptors "$skepd_pid" >"$tmp/descriptors"
	trace "$skepd_pid" -e inject="$2:signal=KILL:when=$3"
	"$1_begin"
	wait_until 3 is_over "$1_end" || true
	if skepd_alive; then # it took fewer steps this time
		end_trace
		skepd_kill
		died "after $1"
		return
	fi
	end_trace
	steps_in "$tmp/trace" "$tmp/descriptors" | awk 'END {print $3}' >>"$tmp/covered.$1"
	died "in $1, before $(tail -n 1 "$tmp/covered.$1")"
}

lab_up
skepd_start
learn_maps
who_has 10.66.4.2
check_farm "before"
spawn client ping -q -i 0.01 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned
asking=''
record bind
record release

# --- every kind of step of a bind with its refill, and of a release with its recycling ---

# They take turns: what is bound is released. The clock's ticks make system calls of their own, and so
# the one that was meant may come earlier or later than it was recorded: what is missed is tried again.
turn() { # BIND_STEP RELEASE_STEP SHIFT
	local name n
	read -r name n _ <<<"$1"
	[[ -z $name ]] || kill_before bind "$name" $((n + $3 > 0 ? n + $3 : 1))
	if [[ -z $(lease "$address" pid) ]]; then
		next_address
		who_has "$address" || diag "$address: no answer"
		wait_until 5 farm_settled || true
	fi
	read -r name n _ <<<"$2"
	[[ -z $name ]] || kill_before release "$name" $((n + $3 > 0 ? n + $3 : 1))
	[[ -z $(lease "$address" pid) ]] || ctl release "$address" >"$tmp/output"
	wait_until 5 farm_settled || true
}

rounds=0
for shift in 0 1 -1 2 0 1 -1 0 1 -1 2 0 1 3 -2 0 2 1 -1; do
	if ((++rounds > 4)) && [[ -n $(missed bind)$(missed release) ]]; then # the machine is slower by now
		record bind
		record release
	fi
	mapfile -t bind_steps < <(missed bind)
	mapfile -t release_steps < <(missed release)
	for ((i = 0; i < ${#bind_steps[@]} || i < ${#release_steps[@]}; i++)); do
		turn "${bind_steps[i]:-}" "${release_steps[i]:-}" "$shift"
	done
done
check_eq "a kill came before every kind of step of a bind" '' "$(missed bind)"
check_eq "and of a release" '' "$(missed release)"

# --- steps of a start that takes over ---

# some N OF: N numbers up to OF, spread evenly from a random one on
some() {
	local i n=$(($1 < $2 ? $1 : $2))
	for ((i = 0; i < n; i++)); do
		echo $((1 + (i * $2 / n + RANDOM % ($2 / n)) % $2))
	done
}

# Of long sequences, only what can have changed something; most is looking.
changing() { grep -Ev '^(read|pread64|readlink|readlinkat|open|openat|openat2|close|lseek|access|faccessat2?|newfstatat|fstat|statfs|fstatfs|getdents64|fcntl|get[a-z]*|exit.*|futex|poll|recvmsg|recvfrom|uname|ioctl) '; }

# As a child of its own, strace would have skepd for a grandchild (-D).
traced_skepd() { # OPTION...
	cat >"$tmp/traced" <<-EOT
		#!/bin/sh
		exec strace -D -q -o '$tmp/trace' -e trace='$STEPS' $* '$real_skepd' "\$@"
	EOT
	chmod +x "$tmp/traced"
	SKEPD=$tmp/traced
}

real_skepd=$SKEPD
next_address
who_has "$address"
wait_until 5 farm_settled
skepd_kill
traced_skepd
skepd_start
steps_in "$tmp/trace" /dev/null | changing >"$tmp/steps.start"
diag "a start takes $(wc -l <"$tmp/steps.start") steps"
mapfile -t start_steps <"$tmp/steps.start"
for at in $(some $((2 * CRASH_POINTS)) "${#start_steps[@]}"); do
	read -r name n _ <<<"${start_steps[at - 1]}"
	skepd_kill
	traced_skepd -e "inject=$name:signal=KILL:when=$n"
	skepd_launch
	wait_until 5 skepd_settled || true
	SKEPD=$real_skepd
	if skepd_alive; then
		diag "a start without its step $at, $name $n"
		skepd_kill
	fi
	died "in a start, before step $at, $name"
done

# --- steps of a stop ---

traced_stop() { # OPTION...
	trace "$skepd_pid" "$@"
	kill -TERM "$skepd_pid" 2>/dev/null || true
	wait_until 20 skepd_gone || fail "skepd stops"
	end_trace
	skepd_reap 2>/dev/null || true
}

# After a stop everything is as new, the pings' address too.
kill -INT "$pings"
wait "$pings" || true
check_match "through all of this, not one ping to the bound address was lost" ' 0% packet loss' "$(cat "$tmp/pings")"
traced_stop
steps_in "$tmp/trace" /dev/null | changing >"$tmp/steps.stop"
diag "a stop takes $(wc -l <"$tmp/steps.stop") steps"
mapfile -t stop_steps <"$tmp/steps.stop"
for at in $(some "$CRASH_POINTS" "${#stop_steps[@]}"); do
	read -r name n _ <<<"${stop_steps[at - 1]}"
	skepd_start
	wait_until 5 who_has "$address"
	traced_stop -e "inject=$name:signal=KILL:when=$n"
	skepd_start
	check_farm "killed in a stop, before step $at, $name"
	check "and then stops" skepd_stop
	check_eq "and leaves nothing" '' "$(leftovers)"
done

# --- steps of a keeper ---

# The keepers' system calls, by process, since they take jobs in turn.
busiest() { awk '{print $1}' "$tmp/trace" | sort | uniq -c | sort -rn | awk 'NR == 1 {print $2}'; }

skepd_start
learn_maps
who_has 10.66.4.2
check_farm "before keepers are killed"
spawn client ping -q -i 0.01 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned
for what in bind release; do
	trace_keepers -e trace=all
	"${what}_begin"
	wait_until 5 "${what}_end"
	end_trace
	busiest=$(busiest)
	sed -n "s/^$busiest *//p" "$tmp/trace" >"$tmp/one"
	steps_in "$tmp/one" /dev/null | changing >"$tmp/steps.keeper.$what"
	diag "for a $what a keeper takes $(wc -l <"$tmp/steps.keeper.$what") steps"
done
# Beside others, the step when there is a child that holds a user namespace open.
after_clone() { awk '$1 == "clone" {print NR + 1; exit}' "$1"; }
for what in bind release; do
	mapfile -t keeper_steps <"$tmp/steps.keeper.$what"
	for at in $(some "$CRASH_POINTS" "${#keeper_steps[@]}") $(after_clone "$tmp/steps.keeper.$what"); do
		read -r name n _ <<<"${keeper_steps[at - 1]}"
		if [[ $what == release ]]; then
			bind_begin
			wait_until 5 bind_end || true
		fi
		before=$(counter keeper_died)
		trace_keepers -e trace="$name" -e "inject=$name:signal=KILL:when=$n"
		"${what}_begin"
		wait_until 5 counted keeper_died $((before + 1)) || diag "no keeper died"
		end_trace
		check_farm "a keeper killed in a $what, before step $at, $name"
		ctl release "$address" >"$tmp/output" 2>&1 || true
	done
done

# --- at random, under load ---

load() {
	local i
	for ((i = 0;; i = (i + 1) % 40)); do
		router arping -q -c 1 -C 1 -w 0.2 -I "$LAB_LAN" "10.66.7.$i" || true
		timeout 1 "$SKEPCTL" -s "$socket" release "10.66.7.$(((i + 38) % 40))" || true
	done >/dev/null 2>&1
}

load &
load=$!
for ((i = 0; i < CRASH_KILLS; i++)); do
	sleep "0.$((RANDOM % 900 + 100))"
	skepd_kill
	skepd_start || fail "the next one starts" "$(tail -n 5 "$log")"
done
kill "$load"
wait "$load" 2>/dev/null || true
check_farm "after $CRASH_KILLS random kills (seed $CRASH_SEED)"

kill -INT "$pings"
wait "$pings" || true
check_match "not one ping was lost by all this either" ' 0% packet loss' "$(cat "$tmp/pings")"

done_testing
