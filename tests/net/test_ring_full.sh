#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# More frames for skepd than the ring buffer holds: what does not fit is dropped, counted and said; the
# rest is worked off, and then everything is as before. What the uplink program binds meanwhile stands:
# some records wait for room, and what skepd has not been told it finds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=40 MAX=80
readonly WAITING=32 UNTOLD=2 # binds whose record waits for one CPU's timer, and more
readonly HOST=02:00:00:00:00:01 HOST_IP=10.66.3.1
readonly FLOOD=700 FILL=30 # datagrams of 1,400 bytes, of which the ring holds about 500, and small ones

# flood ADDRESS: UDP waits for skepd where the address is dark, and where its lease is not settled
flood() {
	# shellcheck disable=SC2016 # for the inner shell
	router bash -c 'exec 3<>"/dev/udp/$0/9"
		for ((i = 0; i < $1; i++)); do printf "%01400d" 0 >&3; done
		for ((i = 0; i < $2; i++)); do printf x >&3; done' "$1" "$FLOOD" "$FILL"
}

# who_has_others: at once, for what is held is too old after three seconds
who_has_others() { send_lan "${others[@]}"; }
answered() { sed -n 's/.* Reply \(10\.66\.5\.[0-9]*\) is-at .*/\1/p' "$tmp/lan" | sort -u | wc -l; }
all_answered() { (($(answered) == ${#others[@]})); }

for ((i = 0; i < WAITING + UNTOLD; i++)); do
	others+=("$(who_has_frame "$HOST" "$HOST_IP" "10.66.5.$i")")
done
lab_up
skepd_start
who_has 10.66.4.2
router ip neigh replace 10.66.4.2 lladdr "$(lease 10.66.4.2 mac)" dev "$LAB_LAN" nud permanent
ctl release 10.66.4.2 >"$tmp/output"
wait_until 10 pool_has idle "$WARM"
bound=$(counter bound)
held() { echo $(($(counter ask_ip) + $(counter held_settling))); }
before=$(held)
sniff lan router "$LAB_LAN" -B 32768 -s 128 'icmp or arp[6:2] == 2' # with room for all that comes at once

kill -STOP "$skepd_pid"
check "skepd stands still while many datagrams come for a dark address" flood 10.66.4.2
check "the ring gets full" wait_until 10 counted drop_ask_ring_full 1
all_counted() { (($(held) - before + $(counter drop_ask_ring_full) == FLOOD + FILL)); }
check "each datagram is counted: as held, or as one that found the ring full" wait_until 5 all_counted
held=$(($(held) - before))
if [[ $BIND == kernel ]]; then
	taskset --pid --cpu-list 0 "$$" >"$tmp/output" # and whoever asks from now on
	check "other dark addresses are asked for" who_has_others
	check "and are answered nevertheless" wait_until 2 all_answered
	check_eq "of the last ones skepd cannot be told" "$UNTOLD" "$(counter bound_untold)"
	check "but the lease stands" is_claimed "10.66.5.$((${#others[@]} - 1))"
fi
kill -CONT "$skepd_pid"
check "what was held is worked off" wait_until 10 counted resent $((held - 1))
if [[ $BIND == kernel ]]; then
	check "the last lease that waited is settled" wait_until 5 is_settled "10.66.5.$((WAITING - 1))"
	check "the lease that it was not told of is found, and settled" wait_until 5 is_settled "10.66.5.$((${#others[@]} - 1))"
	bound=$((bound + ${#others[@]}))
fi
check_eq "the flood made one bind" $((bound + 1)) "$(comes_to bound $((bound + 1)))"
refusal=' 10\.66\.4\.2 > 10\.66\.0\.1: .*udp port 9 unreachable'
check "the container has got datagrams, and says that nobody listens" wait_until 5 seen lan "$refusal"
check "that the ring was full is logged" wait_until 5 logged 'warning: .*ring'
check "the address answers now" router ping -q -c 1 -W 5 10.66.4.2
check "so does the next dark one" who_has 10.66.4.3
check "the pool is warm again" wait_until 60 pool_has idle "$WARM"

done_testing
