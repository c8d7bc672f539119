#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A thousand first contacts a second, by ARP and by UDP that comes right behind it, until all containers
# are used up, while pages come from one that is bound: everybody is answered, each by one bind, nothing
# that was held is lost, and all is settled in the end.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/wire.sh"

WARM=320 MAX=320 START_TIMEOUT=120
readonly HOST=02:00:00:00:00:01 HOST_IP=10.66.3.1 RATE=1000 AT_ONCE=20 BY_ARP=200 BY_UDP=100
readonly PAGES_AT=10.66.4.2

fetch() { # until the test makes $tmp/enough: a line for each page, with its status
	# shellcheck disable=SC2016 # for the inner shell
	spawn client bash -c 'until [[ -e $1 ]]; do curl -s -o /dev/null -m 5 -w "%{http_code}\n" "http://$0/"; done' \
		"$PAGES_AT" "$tmp/enough" >"$tmp/pages"
	fetching=$spawned
}

# ask_at_rate: by ARP for 10.66.16.1 and those that follow, so many at once and then a pause
ask_at_rate() {
	local frames=() frame i hex
	frame=$(who_has_frame "$HOST" "$HOST_IP" 10.66.16.0)
	for ((i = 1; i <= BY_ARP; i++)); do
		printf -v hex '%02x' "$i"
		frames+=("${frame%??}$hex")
	done
	for ((i = 0; i < BY_ARP; i += AT_ONCE)); do
		send_lan "${frames[@]:i:AT_ONCE}"
		sleep "$(printf '0.%03d' $((AT_ONCE * 1000 / RATE)))"
	done
}

# Each datagram is sent as soon as the router knows the link address: its container knows nothing yet.
tell_by_udp() {
	# shellcheck disable=SC2016 # for the inner shell
	router bash -c 'for ((i = 1; i <= $0; i++)); do
			echo hello 2>/dev/null >"/dev/udp/10.66.17.$i/9"
		done' "$BY_UDP"
}

# Different addresses in the capture that did so.
answered() { sed -n 's/.* Reply \(10\.66\.16\.[0-9]*\) is-at .*/\1/p' "$tmp/lan" | sort -u | wc -l; }
refused() { sed -n 's/.* \(10\.66\.17\.[0-9]*\) > .* udp port 9 unreachable.*/\1/p' "$tmp/lan" | sort -u | wc -l; }
all_answered() { (($(answered) == BY_ARP)); }
all_refused() { (($(refused) == BY_UDP)); }
all_settled() { (($(ctl --json status | jq .unsettled) == 0)); }
told() { jq -r 'select(.event == "bind").address' "$tmp/watch" | sort -u | wc -l; }
all_told() { (($(told) == BY_ARP + BY_UDP)); }

lab_up
skepd_start 'pool: binds_per_second = 0' 'pool: binds_per_requester = 0'
who_has "$PAGES_AT"
fetch
wait_until 5 test -s "$tmp/pages"
spawn box "$SKEPCTL" -s "$socket" --json watch >"$tmp/watch"
wait_until 5 is_watched
sniff lan router "$LAB_LAN" -B 32768 -s 128 'arp[6:2] == 2 or icmp' # with room for all that comes at once
before=$(counter bound) begun=$(counter bound_arp)

tell_by_udp &
teller=$!
ask_at_rate
wait "$teller" || true
check "everybody who asks by ARP is answered" wait_until 10 all_answered
check "every datagram has reached its container, which refuses it" wait_until 10 all_refused
check "all are settled" wait_until 10 all_settled
check "all are told to who watches" wait_until 5 all_told
check_eq "one lease for each" $((1 + BY_ARP + BY_UDP)) "$(leased | wc -l)"
check_eq "by one bind" $((before + BY_ARP + BY_UDP)) "$(comes_to bound $((before + BY_ARP + BY_UDP)))"
if [[ $BIND == kernel ]]; then
	check_eq "all by the uplink program" "$((begun + BY_ARP + BY_UDP)) 0 0" \
		"$(counter bound_arp) $(counter ask_arp) $(counter ask_ip)"
	check_eq "each is settled" "$(counter bound)" "$(comes_to settled "$(counter bound)")"
	check_eq "what was held was sent" "$(counter held_settling)" "$(comes_to resent "$(counter held_settling)")"
fi
for drop in drop_ask_ring_full log_dropped bound_untold send_failed no_bind_plumb no_bind_map port_drop_mac port_drop_arp; do
	check_eq "nothing was lost on the way: $drop" 0 "$(counter "$drop")"
done
: >"$tmp/enough"
wait "$fetching" || true
check_eq "meanwhile pages have come" 200 "$(sort -u "$tmp/pages" | xargs)"
check "many of them" test "$(wc -l <"$tmp/pages")" -ge 20
check_farm "afterwards" 60

done_testing
