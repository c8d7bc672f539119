#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the uplink program has bound, and what may come between that and its being settled: skepd is
# stopped and killed at random under first contacts, handed over, drained, resized, reloaded from one way
# of binding to the other and back; claimed containers die, are released, meet a host at their address,
# a panic, the end of skepd. Whoever was answered stays answered by the same container, unless it has
# died or had to give way; all is settled in the end, and no container is lost.
#
# CRASH_KILLS: how many random kills
# CRASH_SEED: when
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/segment.sh"

BIND=kernel WARM=12 MAX=48
CRASH_KILLS=${CRASH_KILLS:-8} CRASH_SEED=${CRASH_SEED:-$((EPOCHSECONDS % 10000))}
RANDOM=$CRASH_SEED
readonly CONTACTS=32 AT_ONCE=4

# --- those who ask ---

# ask_some NET FIRST: as a kernel does, again and again until an answer comes
ask_some() {
	local i
	for ((i = 1 + $2; i <= CONTACTS; i += AT_ONCE)); do
		router arping -q -c 8 -C 1 -w 10 -I "$LAB_LAN" "10.66.$1.$i" >/dev/null 2>&1 || echo "10.66.$1.$i" >>"$tmp/silent"
		sleep 0.03
	done
}

askers=()
begin_asking() { # NET
	local i
	: >"$tmp/silent"
	askers=()
	for ((i = 0; i < AT_ONCE; i++)); do
		ask_some "$1" "$i" &
		askers+=($!)
	done
}
are_asking() { ! are_gone "${askers[@]}"; }

# all_answered TEXT NET: everybody was, and everybody is settled
all_answered() {
	wait "${askers[@]}" || true
	check_eq "$1: everybody is answered" '' "$(cat "$tmp/silent")"
	check_eq "$1: and has a lease" "$CONTACTS" "$(leased | grep -c "^10\\.66\\.$2\\.")"
	check_farm "$1" 30
}

release_all() {
	local address
	router ip neigh flush dev "$LAB_LAN" # or it asks whether they are still there
	for address in $(leased); do
		ctl release "$address" >"$tmp/output" 2>&1 || true
	done
	wait_until 30 farm_settled || true
}

# --- who has which address ---

# note_holders: adds what the map says to $tmp/holders; skepd may be dead
note_holders() { holders >>"$tmp/holders"; }
holders() { dump_map leases | jq -c '.[] | [.key.ip.octet, .value.id, .value.container, .value.mac]'; }
# Those of them that are not so any more.
moved() { comm -23 <(sort -u "$tmp/holders") <(holders | sort -u); }

next_life() {
	skepd_launch
	wait_until 30 skepd_up || fail "the next skepd starts" "$(tail -n 5 "$log")"
}
skepd_up() { timeout 2 "$SKEPCTL" -s "$socket" --json status | jq -e '.state != "stopping"'; }

# Each life of skepd is told apart by its log.
handed_over() { logged "taken over from an earlier skepd" && skepd_up; }
hand_over() {
	: >"$log"
	log_shown=0
	ctl handover >"$tmp/output" 2>&1 && wait_until 20 handed_over
}

# claim ADDRESS: skepd stands still, and the address is claimed; pid is its container's
claim() {
	kill -STOP "$skepd_pid"
	check "$text: the address is answered while skepd stands still" is_answered "$1"
	check "$text: it is claimed" is_claimed "$1"
	pid=$(lease "$1" pid)
}
go_on() { kill -CONT "$skepd_pid"; }

# take ADDRESS: the host has it from now on, and says so
take() {
	ip -n "$LAB_PREFIX-host" address add "$1/16" dev eth0
	on_host host arping -U -S "$1" -q -c 1 -w 1 -I eth0 "$1" || true # hears itself, or not
}
answerers() { router arping -r -c 2 -w 2 -I "$LAB_LAN" "$1" | sort -u; }

lab_up
segment_up
host_up host 10.66.2.1
skepd_start
check_farm "before"
diag "seed $CRASH_SEED"

# --- killed at random ---

: >"$tmp/holders"
begin_asking 16
for ((i = 0; i < CRASH_KILLS; i++)); do
	sleep "0.$(printf %03d $((RANDOM % 250)))"
	if ((i % 2)); then
		kill -STOP "$skepd_pid"
		sleep "0.$(printf %03d $((RANDOM % 150)))"
	fi
	skepd_kill
	note_holders
	sleep "0.0$((RANDOM % 10))"
	note_holders
	next_life
	note_holders
done
all_answered "killed $CRASH_KILLS times" 16
check_eq "killed: whoever had an address has it still, by the same lease" '' "$(moved)"
check_eq "killed: no container was lost or had to be given up" '0 0' "$(pool failed) $(counter start_failed)"
release_all

# --- while contacts come ---

# A kill may have lost a count, but nothing below kills skepd while it is at work.
: >"$tmp/holders"
bound=$(counter bound)
begin_asking 17
for ((i = 0; i < 4; i++)); do
	sleep 0.1
	hand_over || fail "a handover" "$(cat "$tmp/output")"
	note_holders
done
all_answered "handed over" 17
check_eq "handed over: none has failed" '0 0' "$(pool failed) $(counter start_failed)"
check_eq "handed over: whoever had an address has it still" '' "$(moved)"
check_eq "handed over: each was bound once" $((bound + CONTACTS)) "$(counter bound)"
release_all

begin_asking 18
mode=daemon
while are_asking; do
	BIND=$mode write_conf >"$conf"
	ctl reload >"$tmp/output" 2>&1 || fail "a reload to bind = $mode" "$(cat "$tmp/output")"
	check_eq "a reload: status says who binds" "$mode" "$(ctl --json status | jq -r .bind)"
	mode=$([[ $mode == daemon ]] && echo kernel || echo daemon)
	sleep 0.1
done
all_answered "reloaded" 18
check_eq "reloaded: none has failed" '0 0' "$(pool failed) $(counter start_failed)"
for mode in daemon kernel; do
	BIND=$mode write_conf >"$conf"
	check "reload to bind = $mode" ctl reload
	check_farm "bind = $mode since a reload"
	before=$(counter settled)
	check "bind = $mode: an address is answered" who_has 10.66.4.2
	[[ $mode == daemon ]] || ((++before))
	check_eq "bind = $mode: by the one that it says" "$before" "$(counter settled)"
	ctl release 10.66.4.2 >"$tmp/output"
done
release_all

begin_asking 19
for warm in 2 12 1 8 3 12; do
	sleep 0.15
	ctl pool resize "$warm" "$MAX" >"$tmp/output" 2>&1 || fail "a resize" "$(cat "$tmp/output")"
done
all_answered "resized" 19
check_eq "resized: none has failed" '0 0' "$(pool failed) $(counter start_failed)"
release_all

begin_asking 20
for ((i = 0; i < 3; i++)); do
	sleep 0.1
	ctl drain >"$tmp/output"
	sleep 0.1
	ctl drain off >"$tmp/output"
done
all_answered "drained" 20
release_all

# --- a claimed one dies ---

text="died"
died=$(counter container_died)
claim 10.66.4.3
kill -KILL "$pid"
go_on
check "$text: it is noticed" wait_until 10 counted container_died $((died + 1))
check "$text: its address is dark" wait_until 5 is_dark 10.66.4.3
check_farm "$text"
check "$text: another one answers" wait_until 5 who_has 10.66.4.3

text="died, and so did skepd"
claim 10.66.4.4
kill -KILL "$pid"
skepd_kill
next_life
check "$text: its address is dark" wait_until 5 is_dark 10.66.4.4
check_farm "$text"
check "$text: another one answers" wait_until 5 who_has 10.66.4.4

# --- a claimed one is released ---

text="released"
claim 10.66.4.5
ctl release 10.66.4.5 >"$tmp/released" 2>&1 &
releasing=$!
sleep 0.2
go_on
check "$text: at once" wait "$releasing"
check_eq "$text: skepctl says so" '10.66.4.5 released' "$(cat "$tmp/released")"
check "$text: the address is dark" is_dark 10.66.4.5
check "$text: and its container goes" wait_until 10 is_gone "$pid"
check_farm "$text"

# --- a host has its address ---

text="host"
conflicts=$(counter released_conflict)
claim 10.66.4.6
take 10.66.4.6
check_eq "$text: the host alone answers" "$(host_mac host)" "$(answerers 10.66.4.6)"
check_eq "$text: the lease is gone while skepd stands still" '' "$(lease_state 10.66.4.6)"
go_on
check "$text: the conflict is counted" wait_until 5 counted released_conflict $((conflicts + 1))
check "$text: the container goes" wait_until 10 is_gone "$pid"
check_eq "$text: the host alone answers afterwards" "$(host_mac host)" "$(answerers 10.66.4.6)"
check_farm "$text"

text="host, and skepd dead"
claim 10.66.4.7
skepd_kill
take 10.66.4.7
check_eq "$text: the host alone answers" "$(host_mac host)" "$(answerers 10.66.4.7)"
next_life
check "$text: the container goes" wait_until 10 is_gone "$pid"
check_eq "$text: the host alone answers afterwards" "$(host_mac host)" "$(answerers 10.66.4.7)"
check_farm "$text"

# --- a panic, and its end ---

text="panic"
claim 10.66.4.8
check "$text: is said" ctl panic
check_status "$text: it is silent" 1 is_answered 10.66.4.8
go_on
sleep 1.5 # longer than a tick
check_status "$text: also when skepd goes on" 1 is_answered 10.66.4.8
check "$text: it is claimed still" is_claimed 10.66.4.8
check "$text: resume" ctl resume
check "$text: then it is settled" wait_until 5 is_settled 10.66.4.8
check_eq "$text: with the same container" "$pid" "$(lease 10.66.4.8 pid)"
check "$text: and answers" who_has 10.66.4.8
check_farm "$text"

# --- a range that goes while skepd stands still ---

text="excluded"
claim 10.66.5.2
EXCLUDE='10.66.5.0/24' write_conf >"$conf"
skepd_kill
EXCLUDE='10.66.5.0/24' next_life
check "$text: the next skepd ends the lease" wait_until 5 is_dark 10.66.5.2
check "$text: and the container goes" wait_until 10 is_gone "$pid"
check_farm "$text"

# --- the end ---

text="stop"
claim 10.66.4.9
kill -TERM "$skepd_pid"
go_on
check "$text: skepd ends" wait_until 30 skepd_gone
check "$text: with success" skepd_reap
check_eq "$text: and nothing is left" '' "$(leftovers)"

done_testing
