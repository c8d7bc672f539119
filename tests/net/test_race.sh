#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Many ask for one address at once: one container gets it, once, and everybody is answered.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=4 MAX=16
readonly CLIENTS=20

# Different machines in the capture that got an answer.
answered() { sed -n 's/.* > \([0-9a-f:]*\), ethertype ARP.*/\1/p' "$tmp/lan" | sort -u | wc -l; }
all_answered() { (($(answered) >= CLIENTS)); }

# All who-has of the second part have come: to skepd, or to who has the address by then.
have_come() {
	if [[ $BIND == daemon ]]; then
		counted ask_arp $((asked + CLIENTS))
	else
		counted leased_arp $((leased + CLIENTS - 1))
	fi
}

lab_up
skepd_start

# Real clients, as fast as they can be started, on both sides of the router.
pids=()
for ((i = 0; i < CLIENTS; i++)); do
	spawn router arping -q -c 1 -C 1 -w 5 -I "$LAB_LAN" 10.66.4.2
	pids+=("$spawned")
	spawn client ping -q -c 1 -W 5 10.66.4.2 >>"$tmp/pings" 2>&1
	pids+=("$spawned")
done
succeeded=0
for pid in "${pids[@]}"; do
	! wait "$pid" || ((++succeeded))
done
check_eq "all arpings and pings for one dark address are answered" $((2 * CLIENTS)) "$succeeded"
check_eq "there is one lease" 10.66.4.2 "$(leased)"
check_eq "and there was one bind" 1 "$(comes_to bound 1)"
check "one container is bound" wait_until 5 pool_has bound 1

# All of them before skepd has seen the first. Where it binds itself, that is as close as a race can
# get; else all are answered without it.
ask=()
for ((i = 0; i < CLIENTS; i++)); do
	ask+=("$(who_has_frame "$(printf '02:00:00:00:01:%02x' "$i")" "10.66.0.$((100 + i))" 10.66.4.3)")
done
asked=$(counter ask_arp)
leased=$(counter leased_arp) bound=$(counter bound_arp)
held="$asked $(counter held_settling) $(counter resent)"
sniff lan router "$LAB_LAN" 'arp[6:2] == 2 and arp src host 10.66.4.3'
kill -STOP "$skepd_pid"
send_lan "${ask[@]}"
check "that many machines' who-has have come" wait_until 5 have_come
[[ $BIND == daemon ]] || check "each machine has its answer without skepd" wait_until 5 all_answered
kill -CONT "$skepd_pid"
check "each machine gets its answer" wait_until 5 all_answered
check_eq "all name the same link address" 1 \
	"$(sed 's/.* is-at \([0-9a-f:]*\).*/\1/' "$tmp/lan" | sort -u | wc -l)"
check_eq "that makes one lease more" "$(printf '10.66.4.%d\n' 2 3)" "$(leased)"
check_eq "one bind more" 2 "$(comes_to bound 2)"
if [[ $BIND == daemon ]]; then
	check "the others were sent to the container that was there by then" counted resent $((CLIENTS - 1))
else
	check_eq "of all who-has, one has bound it" $((bound + 1)) "$(counter bound_arp)"
	check_eq "and none was held" "$held" "$(counter ask_arp) $(counter held_settling) $(counter resent)"
fi
check "two containers are bound" wait_until 5 pool_has bound 2
check_eq "nothing went wrong on the way" '0 0 0' \
	"$(counter no_bind_plumb) $(counter no_bind_map) $(counter send_failed)"

done_testing
