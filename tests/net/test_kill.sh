#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kill -9 of skepd: bound addresses go on answering without it, since their frames never needed it; the
# next skepd says what it finds, clears it away, and works.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=3 MAX=8

no_helpers() { [[ -z $(pgrep --full -- "skepd -c $conf") ]]; }
keepers_there() { [[ -n $(keepers) ]]; }
settled() { pool_has recycling 0 && pool_has starting 0; }
is_promiscuous() { box ip -j link show "$LAB_UPLINK" | jq -e '.[0].flags | index("PROMISC")'; }

lab_up
skepd_start
for i in 2 3; do
	who_has "10.66.4.$i"
done
mac=$(lease 10.66.4.2 mac) pid=$(lease 10.66.4.2 pid)
secret=$(sha256sum <"$state_dir/secret")
wait_until 10 pool_has idle "$WARM"

# Pings all the time: before, while and after it is killed.
spawn client ping -q -c 40 -i 0.05 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned
check "pings are under way" wait_until 5 counted leased_ip 3
skepd_kill
check "skepd is dead" skepd_gone
check_status "and nobody answers skepctl: exit status 3" 3 ctl status
check_match "which says so" '^skepctl: no skepd at ' "$(cat "$tmp/output")"
check "the pings come to their end" wait "$pings"
check_match "none is lost" ' 0% packet loss' "$(cat "$tmp/pings")"
check "a page comes from a bound address" client curl -sSf -m 5 -o "$tmp/page" http://10.66.4.3/
check "so does is-at" who_has 10.66.4.3
check_status "a dark address stays dark" 1 who_has 10.66.4.4
check "the maps are where they were" bpftool map dump pinned "$bpf_dir/leases"
check "its helpers end by themselves" wait_until 10 no_helpers

# The next one
router ip neigh flush dev "$LAB_LAN"
skepd_start
check "the next skepd starts" skepd_alive
check "and says what it found" logged 'warning: an earlier skepd left [0-9]+ containers and 2 leases behind'
check "the containers of before are removed" wait_until 10 is_gone "$pid"
check_eq "the addresses of before are dark" '' "$(leased)"
check "the pool is warm" wait_until 10 pool_has idle "$WARM"
check "nothing of the old life is in the way" wait_until 10 settled
check_eq "no start or removal failed" '0 0' "$(counter start_failed) $(counter recycle_failed)"
check "an address of before is answered when somebody asks" client ping -q -c 1 -W 5 10.66.4.2
check_eq "with the link address of before" "$mac" "$(lease 10.66.4.2 mac)"
check_eq "since the secret is that of before" "$secret" "$(sha256sum <"$state_dir/secret")"
check "the uplink is promiscuous" is_promiscuous

# Twice in a row, right after the start and with containers being made.
skepd_kill
skepd_launch
wait_until 10 keepers_there
skepd_kill
skepd_start
check "killed in the middle of its start, the next one starts as well" wait_until 10 pool_has idle "$WARM"
check "and works" who_has 10.66.4.5
check "the last one stops" skepd_stop
check_status "the uplink is not promiscuous any more" 1 is_promiscuous
check_eq "and nothing of any of them is left" '' "$(leftovers)"

done_testing
