#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A flood of first contacts binds no more than the budgets allow: binds_per_requester for each sender,
# binds_per_second in all, each with a burst of a second's worth. What is over them is dropped where it
# arrives, and counted; others, and what is leased, go on.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=4 MAX=4
readonly FLOOD=1000 TOTAL=100 EACH=40 FLOODER=02:00:00:00:00:01 FLOODER_IP=10.66.0.77

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
# arrived: every frame of the flood, whatever became of it
arrived() { echo $(($(contacts arp) + $(counter drop_budget) + $(counter drop_budget_requester))); }
have_arrived() { (($(arrived) >= $1)); }
# frames FIRST REQUESTERS: a flood's frames, in a global array, from so many senders. Made of one, since
# a process for each of their fields would take a minute.
frames() {
	local i n template mac ip to frame
	template=$(who_has_frame ee:ee:ee:ee:ee:ee 238.238.238.1 238.238.238.2)
	flood=()
	for ((i = 0; i < FLOOD; i++)); do
		n=$(($1 + i))
		printf -v mac '02000000%02x01' $((i % $2))
		printf -v ip '0a4201%02x' $((i % $2 + 1))
		printf -v to '0a42%02x%02x' $((16 + n / 256)) $((n % 256))
		frame=${template//eeeeeeeeeeee/$mac}
		frame=${frame/eeeeee01/$ip}
		flood+=("${frame/eeeeee02/$to}")
	done
}
# send_flood: all of them, in pieces that fit a command line
send_flood() {
	local i
	for ((i = 0; i < FLOOD; i += 250)); do
		send_lan "${flood[@]:i:250}"
	done
}
# at_most TEXT BUDGET MS SEEN: a burst, and what has come meanwhile
at_most() { check "$1 ($4 in $3 ms)" test "$4" -le $(($2 + $2 * $3 / 1000 + 1)); }

lab_up
skepd_start "pool: binds_per_second = $TOTAL binds_per_requester = $EACH" \
	'pool: when_exhausted = "share" addresses_per_container = 4096'
check_eq "status tells the budgets" "$TOTAL $EACH" \
	"$(ctl --json status | jq -r '"\(.budgets.binds_per_second) \(.budgets.binds_per_requester)"')"
check "an address is bound" who_has 10.66.4.2
spawn client ping -q -c 60 -i 0.05 -W 5 10.66.4.2 >"$tmp/pings"
pings=$spawned

# One sender
frames 0 1
before=$(arrived) bound=$(counter bound) begun=$(now_ms)
send_flood
check "a flood from one requester: every frame is counted" wait_until 10 have_arrived $((before + FLOOD))
check "another one binds nevertheless" who_has 10.66.4.3
took=$(($(now_ms) - begun))
at_most "the flood has not bound more than the requester may" "$EACH" "$took" $(($(counter bound) - bound - 1))
check "it has bound what it may" wait_until 5 counted bound $((bound + EACH))
check "the rest is counted as over the requester's budget" counted drop_budget_requester $((FLOOD - EACH - EACH * took / 1000 - 1))
check_eq "nothing else was dropped, nor came so far that skepd had to refuse it" '0 0 0' \
	"$(counter drop_budget) $(counter drop_ask_ring_full) $(counter no_bind_pool_empty)"
check_eq "status tells" "$(counter drop_budget_requester)" "$(ctl --json status | jq .refused.drop_budget_requester)"

# Many senders
wait_until 2 false || true # until the buckets are full again
frames 1000 250
before=$(arrived) bound=$(counter bound) each=$(counter drop_budget_requester) begun=$(now_ms)
send_flood
check "a flood from 250 requesters: every frame is counted" wait_until 10 have_arrived $((before + FLOOD))
took=$(($(now_ms) - begun))
at_most "it has not bound more than all may together" "$TOTAL" "$took" $(($(counter bound) - bound))
check "but that" wait_until 5 counted bound $((bound + TOTAL))
check "the rest is counted as over the budget of all" counted drop_budget $((FLOOD - TOTAL - TOTAL * took / 1000 - 1))
check_eq "none of them is over its own" "$each" "$(counter drop_budget_requester)"
check "the pings to a leased address come to their end" wait "$pings"
check_match "without loss" ' 0% packet loss' "$(cat "$tmp/pings")"

# IP counts as well, by its source. It is for link addresses that were leased a moment ago.
ips=()
while read -r address mac; do
	ctl release "$address" >/dev/null
	ips+=("$(ethernet "$mac" "$FLOODER" 0800 "$(echo_request "$FLOODER_IP" "$address")")")
done < <(ctl --json leases | jq -r --argjson n $((2 * EACH)) \
	'[.leases[] | select(.address | startswith("10.66.4.") | not)][:$n][] | "\(.address) \(.mac)"')
check_eq "there are enough of them" $((2 * EACH)) ${#ips[@]}
wait_until 2 false || true
asked=$(contacts ip) each=$(counter drop_budget_requester) begun=$(now_ms)
send_lan "${ips[@]}"
ip_arrived() { (($(contacts ip) - asked + $(counter drop_budget_requester) - each == 2 * EACH)); }
check "packets to dark addresses: each is counted" wait_until 10 ip_arrived
at_most "no more than the budget was asked for" "$EACH" $(($(now_ms) - begun)) $(($(contacts ip) - asked))
ask_again() { send_lan "$(who_has_frame "$FLOODER" "$FLOODER_IP" 10.66.4.9)" && ! is_dark 10.66.4.9; }
check "the requester's budget fills up again" wait_until 5 ask_again

# Without limits
sed -i "s/binds_per_second = $TOTAL/binds_per_second = 0/; s/binds_per_requester = $EACH/binds_per_requester = 0/" "$conf"
check "a reload takes the limits off" ctl reload
frames 2000 1
before=$(arrived) dropped=$(($(counter drop_budget) + $(counter drop_budget_requester)))
send_flood
check "then the same flood" wait_until 10 have_arrived $((before + FLOOD))
check_eq "meets none" "$dropped" $(($(counter drop_budget) + $(counter drop_budget_requester)))

done_testing
