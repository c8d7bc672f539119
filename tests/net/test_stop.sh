#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# SIGTERM and SIGINT: whatever skepd was doing, it ends with success and leaves nothing on the machine.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=4 MAX=8

uplink() { box ip -d -j link show "$LAB_UPLINK" | jq -r "$1"; }
has_program() { [[ $(uplink '.[0].xdp') != null ]]; }
is_promiscuous() { (($(uplink '.[0].promiscuity') > 0)); }

# nothing_left TEXT: after each stop
nothing_left() {
	check_eq "$1: processes, pins, sockets, mounts, cgroups, veths: nothing is left" '' "$(leftovers)"
	check_status "$1: no XDP program" 1 has_program
	check_status "$1: no run_dir" 1 test -e "$run_dir"
	check_status "$1: no bpf_dir" 1 test -e "$bpf_dir"
	check_eq "$1: of state_dir, only what outlives a restart" secret "$(ls "$state_dir")"
}

lab_up
for signal in TERM INT; do
	skepd_start
	check "$signal: while it runs, the uplink has its program" has_program
	check "$signal: and is promiscuous" is_promiscuous
	for i in 2 3 4; do
		who_has "10.66.4.$i"
	done
	check_status "$signal: with idle and bound containers, it ends with success" 0 skepd_signal "$signal" 30
	check_status "$signal: the uplink is not promiscuous any more" 1 is_promiscuous
	check_eq "$signal: what it says last" 'skepd: stopped' "$(tail -n 1 "$log")"
	nothing_left "$signal"
done
check_status "the addresses are dark" 1 who_has 10.66.4.2

# What was promiscuous before stays so.
box ip link set "$LAB_UPLINK" promisc on
skepd_start
check_status "a stop with an uplink that somebody else made promiscuous" 0 skepd_signal TERM 30
check "leaves that alone" is_promiscuous
box ip link set "$LAB_UPLINK" promisc off

# While containers are being started, or removed.
: >"$log"
log_shown=0
for moment in 'watching' 'running'; do
	skepd_launch
	wait_until 10 logged "$moment"
	check_status "a stop right after '$moment'" 0 skepd_signal TERM 30
	nothing_left "a stop right after '$moment'"
	: >"$log"
done
skepd_start
for i in 2 3 4 5; do
	who_has "10.66.4.$i"
done
for i in 2 3 4 5; do
	ctl release "10.66.4.$i" >"$tmp/output"
done
check_status "a stop while containers are recycled" 0 skepd_signal INT 30
nothing_left "a stop while containers are recycled"

# Told twice, it does not wait; what it leaves then is the next one's.
skepd_start
signal_keepers STOP
kill -TERM "$skepd_pid"
sleep 0.1 # two signals at once would be one
kill -INT "$skepd_pid"
signal_keepers CONT
check "told twice, it ends as well" wait_until 30 skepd_gone
skepd_reap || diag "with status $?"
skepd_start
check_status "the next one starts and stops" 0 skepd_stop
nothing_left "after both"

# While it sets itself up: as soon as each of these is there.
for made in "$run_dir" "$run_dir/stage" "$run_dir/templates/basic/etc" "$bpf_dir/leases" "$socket"; do
	skepd_launch
	until [[ -e $made ]] || skepd_gone; do :; done
	kill -TERM "$skepd_pid"
	check "a stop as soon as there is ${made##*/}" wait_until 30 skepd_gone
	check "is a success" skepd_reap
	check_eq "and leaves nothing" '' "$(leftovers)"
	sweep
done

done_testing
