#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An address is released when no frame went either way for idle_timeout seconds, and not before.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=3 MAX=8 IDLE_TIMEOUT=2

lab_up
skepd_start

# One address hears, one speaks, one does neither until it is released; it is the youngest.
who_has 10.66.4.2
who_has 10.66.4.3
who_has 10.66.4.4
heard=$(lease 10.66.4.2 pid) speaking=$(lease 10.66.4.3 pid) quiet=$(lease 10.66.4.4 pid)
mac=$(lease 10.66.4.3 mac)
came=$([[ $BIND == kernel ]] && echo 1 || echo 0) # a held frame is not counted
listen=$(ethernet "$(lease 10.66.4.2 mac)" 02:00:00:00:00:01 0800 "$(echo_reply 10.66.0.77 10.66.4.2)")
speak=$(ethernet "$BROADCAST" "$mac" 0806 "$(arp 1 "$mac" 10.66.4.3 "$NOBODY" 10.66.4.3)")
in_container "$quiet" touch /root/old
for ((i = 0; i < 100; i++)); do
	send_lan "$listen"
	in_net "$speaking" "$SEND_FRAME" eth0 "$speak" || break
	! is_dark 10.66.4.4 || break
	sleep 0.2
done
check "the one without frames is released" is_dark 10.66.4.4
check_eq "it alone" 1 "$(counter released_idle)"
check_eq "frames to an address keep it" "$heard" "$(lease 10.66.4.2 pid)"
check_eq "though nothing but the first is-at came from it" 1 "$(lease 10.66.4.2 packets_out)"
check_eq "so do frames from it" "$speaking" "$(lease 10.66.4.3 pid)"
check_eq "though nothing came to it but what it was bound for" "$came" "$(lease 10.66.4.3 packets_in)"
check "the container of the one released is gone" wait_until 10 is_gone "$quiet"
check "when the frames stop, the other two go" wait_until 10 counted released_idle 3
check_eq "no address is leased" '' "$(leased)"
check "three containers were recycled" wait_until 10 counted container_recycled 3
check "the pool is warm again" wait_until 10 pool_has idle "$WARM"
check_eq "nobody else released anything" '0 0' "$(counter released_command) $(counter released_died)"

router ip neigh flush dev "$LAB_LAN"
check "the next who-has binds anew" who_has 10.66.4.4
check_status "a fresh container" 1 in_container "$(lease 10.66.4.4 pid)" test -e /root/old

done_testing
