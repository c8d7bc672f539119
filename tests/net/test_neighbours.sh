#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Neighbours: farpd answers for addresses of the same range on the same wire, and so does a real host.
# Whatever one of them has is never bound, the rest is ours alone, and nobody answers for what another has.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/segment.sh"

VERIFY=on LAB_RANGE=10.66.9.0/24 EXCLUDE=10.66.9.240/28 WARM=4 MAX=8
readonly FARPD_HAS=10.66.9.64/27 # 10.66.9.64 to 95

verification() { ctl --json status | jq -e --arg key "$1" '.verification.ranges[0][$key]'; }
found() { (($(verification "$1") == $2)); }

# farpd_up PREFIX: it answers for these, two questions and half a second after it was asked
farpd_up() {
	# Not by on_host, which would be a shell's process.
	nsenter --net="/run/netns/$LAB_PREFIX-farpd" -- farpd -d -i eth0 "$1" >"$tmp/farpd" 2>&1 &
	farpd_pid=$!
	wait_until 5 grep -q listening "$tmp/farpd"
}
farpd_took() { grep -q "arp reply $1 is-at" "$tmp/farpd"; }

# answerers ADDRESS: the link addresses that answered for it, as seen on the wire
answerers() { sed -En "s/.*Reply ${1//./\\.} is-at ([0-9a-f:]+).*/\1/p" "$tmp/wire" | sort -u | tr '\n' ' '; }
ask_thrice() { router arping -q -c 3 -W 0.5 -I "$LAB_LAN" "$1" || true; }

command -v farpd >/dev/null || bail "'farpd' is missing: run 'make deps'"
lab_up
segment_up
host_up real 10.66.9.7
host_up farpd 10.66.2.1
farpd_up "$FARPD_HAS"

# It takes an address while the sweep asks for it: that is seen, and each of them is left to it.
skepd_start
check "the range is swept" wait_until 60 found waiting 0
check_eq "all that farpd answers for are hosts, and the real one" 33 "$(verification hosts)"
check_eq "the rest is quiet" $((256 - 17 - 33)) "$(verification claimable)"
sniff wire router "$LAB_LAN" arp
for address in 10.66.9.64 10.66.9.77 10.66.9.95; do
	ask_thrice "$address"
	check "farpd answers for $address" wait_until 5 farpd_took "$address"
	check_eq "nobody else does" "$(host_mac farpd) " "$(answerers "$address")"
done
ask_thrice 10.66.9.7
check_eq "the real host alone answers for its own" "$(host_mac real) " "$(answerers 10.66.9.7)"
check_eq "nothing was bound" '0 ' "$(counter bound) $(leased)"
for address in 10.66.9.63 10.66.9.96; do
	ask_thrice "$address"
	check_eq "$address is ours alone" "$(lease "$address" mac) " "$(answerers "$address")"
done
check_eq "and bound" '10.66.9.63 10.66.9.96 ' "$(leased | tr '\n' ' ')"

# A farpd that comes later finds what is ours answered for, and leaves it.
kill -KILL "$farpd_pid" # it does not hear SIGTERM while nothing is asked
wait "$farpd_pid" 2>/dev/null || true
farpd_up 10.66.9.128/27
ask_thrice 10.66.9.130
check_eq "an address that both would take is answered for by one" "$(lease 10.66.9.130 mac) " "$(answerers 10.66.9.130)"
check_status "farpd did not take it" 1 farpd_took 10.66.9.130
check_eq "no lease had to give way" 0 "$(counter conflict)"

done_testing
