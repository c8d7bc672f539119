#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# when_exhausted = "evict": with all containers bound, the lease that has been idle longest makes room for
# the next first contact, if it has been idle for evict_after and has no live TCP connection; the contact
# waits meanwhile. With min_idle_warm, room is made beforehand.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=2 MAX=4

# asks ADDRESS: as a kernel does, three times, a second apart, until an answer comes
asks() { router arping -q -c 3 -C 1 -w 5 -I "$LAB_LAN" "$1"; }
binds() { wait_until 10 who_has "$1"; }
addresses() { leased | sed 's/.*\.//' | tr '\n' ' ' | sed 's/ $//'; }
pause() { wait_until "$1" false || true; }
all_are_bound() { pool_has bound "$MAX" && pool_has starting 0 && pool_has recycling 0; }

# be_quiet ADDRESS: neither end asks for the other by ARP once more, seconds after they have begun to talk
be_quiet() {
	local gateway
	gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
	router ip neigh replace "$1" lladdr "$(lease "$1" mac)" dev "$LAB_LAN" nud permanent
	in_net "$(lease "$1" pid)" ip neigh replace "$LAB_GATEWAY" lladdr "$gateway" dev eth0 nud permanent
}

lab_up
skepd_start 'pool: when_exhausted = "evict" evict_after = 6'

# The one with a connection is idle longest, but for that; one is never idle.
binds 10.66.4.2
spawn client bash -c 'exec 3<>/dev/tcp/10.66.4.2/80 && exec sleep 600'
held=$(lease 10.66.4.2 pid)
check "a connection is there" wait_until 10 in_net "$held" sh -c 'ss -Hnt state established | grep -q .'
be_quiet 10.66.4.2
pause 7
binds 10.66.4.3
binds 10.66.4.4
spawn client ping -q -i 0.2 10.66.4.4 >"$tmp/pings"
lively=$spawned
binds 10.66.4.5
check "all containers there may be are bound" wait_until 10 all_are_bound
check_status "none but the one with a connection has been idle for long enough: a contact stays unanswered" 1 who_has 10.66.4.6
check "it waited" counted waited 1
check "in vain" wait_until 5 counted no_bind_pool_empty 1
check_eq "nobody is evicted for it" '2 3 4 5 - 0' "$(addresses) - $(counter released_evicted)"
check "the one with a connection was looked at, and kept" counted kept_connection 1

pause 7
check_eq "nor is anybody beforehand, without min_idle_warm" '2 3 4 5' "$(addresses)"
check "once they have been idle for long enough, a contact is answered within its retries" asks 10.66.4.6
check_eq "the lease idle longest has made room, and no other" '2 4 5 6 - 1' "$(addresses) - $(counter released_evicted)"
check_eq "the one with a connection goes on" "$held" "$(lease 10.66.4.2 pid)"
check "the contact waited for that" counted waited 2
check "the next one" asks 10.66.4.7
check_eq "gets the room of the next" '2 4 6 7 - 2' "$(addresses) - $(counter released_evicted)"
check_status "then there is none: all are young, busy, or connected" 1 who_has 10.66.4.8
check_eq "and all of them stay" '2 4 6 7 - 2' "$(addresses) - $(counter released_evicted)"
kill -INT "$lively"
wait "$lively" || true
check_match "the busy one has not noticed" ' 0% packet loss' "$(cat "$tmp/pings")"
check "skepd stops" skepd_stop

# Beforehand
skepd_start 'pool: when_exhausted = "evict" evict_after = 3 min_idle_warm = 1'
for a in 2 3 4 5; do
	binds "10.66.4.$a"
done
check "with min_idle_warm, the lease idle longest is evicted when nobody asks" wait_until 20 counted released_evicted 1
check "so that one container is idle" wait_until 10 pool_has idle 1
check_eq "it alone" '3 4 5' "$(addresses)"
pause 4
check_eq "the others stay, though they have been idle for long enough, too" '3 4 5 - 1' "$(addresses) - $(counter released_evicted)"
waited=$(counter waited)
check "a contact is answered at once" who_has 10.66.4.6
check_eq "without waiting" "$waited" "$(counter waited)"
check "and the next makes room" wait_until 10 counted released_evicted 2
check "for the next" wait_until 10 pool_has idle 1
check_eq "in the order of their last frames" '4 5 6' "$(addresses)"
check "skepd stops" skepd_stop

# The one idle longest turns out to have a connection while a contact waits: it gets the room of the next.
WARM=1 MAX=2
skepd_start 'pool: when_exhausted = "evict" evict_after = 3'
binds 10.66.4.2
spawn client bash -c 'exec 3<>/dev/tcp/10.66.4.2/80 && exec sleep 600'
held=$(lease 10.66.4.2 pid)
check "a connection is there" wait_until 10 in_net "$held" sh -c 'ss -Hnt state established | grep -q .'
be_quiet 10.66.4.2
pause 1
binds 10.66.4.3
pause 5
check "one who-has is enough" who_has 10.66.4.4
check_eq "one was kept, the other evicted" '2 4 - 1 1' \
	"$(addresses) - $(counter kept_connection) $(counter released_evicted)"
check "skepd stops" skepd_stop

# Two machines wait for one address: it is bound once, and both are answered.
WARM=1 MAX=1
skepd_start 'pool: when_exhausted = "evict" evict_after = 600'
sniff wire router "$LAB_LAN" 'arp[6:2] == 2'
answered() { seen wire " > 02:00:00:00:00:0$2, .*Reply 10\.66\.5\.$1 is-at"; }
both() { answered "$1" 1 && answered "$1" 2; }
check "one container, bound" binds 10.66.4.2
for i in 1 2 3 4 5; do # who waits for more than a second waits in vain, and it may take that long
	bound=$(counter bound) resent=$(counter resent)
	send_lan "$(who_has_frame 02:00:00:00:00:01 10.66.3.1 "10.66.5.$i")" \
		"$(who_has_frame 02:00:00:00:00:02 10.66.3.2 "10.66.5.$i")"
	ctl release "$(leased)" >"$tmp/output"
	! wait_until 3 both "$i" || break
	wait_until 10 pool_has idle 1 || true
	who_has "10.66.5.$((100 + i))"
done
check "two machines that wait for one address are both answered" both "$i"
check_eq "it was bound for the one, and the other was sent there" "$((bound + 1)) $((resent + 1))" "$(comes_to bound $((bound + 1))) $(comes_to resent $((resent + 1)))"

done_testing
