#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The box's own traffic on the watched NIC goes on undisturbed, also while the range is swept; and the
# addresses that are somebody's already are never bound: the box's own, though the range covers it, the
# gateway's, the excluded ones, the network and the broadcast address.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=4 MAX=80 EXCLUDE=10.66.9.0/24 # so the range covers the box and the gateway
readonly BYTES=$((16 * 1024 * 1024))

serve() { spawn "$1" "$SKEP_TEMPLATE/bin/busybox" httpd -f -p "$2:80" -h "$tmp/www"; }
fetch() { "$1" curl -sSf -m 20 --retry 20 --retry-connrefused --retry-delay 1 "http://$2/file" | sha256sum; }

lab_up
skepd_start

mkdir "$tmp/www"
head -c "$BYTES" /dev/urandom >"$tmp/www/file"
want=$(sha256sum <"$tmp/www/file")
serve box "$LAB_BOX"
serve router "$LAB_GATEWAY"
check "the box listens" wait_until 5 router curl -sf -m 1 -o "$tmp/output" "http://$LAB_BOX/file"
check "the router listens" wait_until 5 box curl -sf -m 1 -o "$tmp/output" "http://$LAB_GATEWAY/file"

# A sweep, and meanwhile pings both ways and transfers both ways.
spawn router nmap -n -sn 10.66.20.0/26 >"$tmp/nmap" 2>&1
nmap=$spawned
spawn router ping -q -c 40 -i 0.05 -W 5 "$LAB_BOX" >"$tmp/to-box" 2>&1
to_box=$spawned
spawn box ping -q -c 40 -i 0.05 -W 5 "$LAB_GATEWAY" >"$tmp/from-box" 2>&1
from_box=$spawned
check_eq "a transfer from the box is whole" "$want" "$(fetch router "$LAB_BOX")"
check_eq "a transfer to the box is whole" "$want" "$(fetch box "$LAB_GATEWAY")"
check_eq "the client behind the router gets it from the box, too" "$want" "$(fetch client "$LAB_BOX")"
wait "$to_box" "$from_box" || true
check_match "no ping to the box is lost" ' 0% packet loss' "$(cat "$tmp/to-box")"
check_match "no ping from the box is lost" ' 0% packet loss' "$(cat "$tmp/from-box")"
check "the sweep comes to its end" wait "$nmap"
check "it has bound addresses meanwhile" wait_until 5 pool_has bound "$(leased | wc -l)"
check_match "some of those swept, and none else" '^(10\.66\.20\.[0-9]+ ?)+$' "$(leased | tr '\n' ' ')"

# Who-has for what is somebody's: never bound.
bound=$(counter bound)
never() {
	local excluded
	excluded=$(counter pass_excluded)
	send_lan "$(who_has_frame 02:00:00:00:00:01 10.66.3.1 "$2")"
	check "$1, $2: left to the box" wait_until 5 counted pass_excluded $((excluded + 1))
	check "$1, $2: no lease" is_dark "$2"
}
never "the box's own address" "$LAB_BOX"
never "the gateway's address" "$LAB_GATEWAY"
never "the network address" 10.66.0.0
never "the broadcast address" 10.66.255.255
never "an excluded address" 10.66.9.1
never "the first excluded address" 10.66.9.0
never "the last excluded address" 10.66.9.255
check_eq "none of these was bound" "$bound" "$(counter bound)"
check "the addresses beside them are: after the gateway's and the box's" who_has 10.66.0.3
check "after the network address, and before the broadcast address" who_has 10.66.255.254
check "before the excluded ones" who_has 10.66.8.255
check "after the excluded ones" who_has 10.66.10.0
check_eq "the box answers for itself" \
	"$(box ip -j link show "$LAB_UPLINK" | jq -r '.[0].address')" "$(mac_in_answer "$LAB_BOX")"
check "IP to the box is the box's" client ping -q -c 3 -i 0.05 -W 5 "$LAB_BOX"

# An address that the box gets while skepd runs is the box's from then on, even one that was bound.
check "an address of the range is bound" who_has 10.66.40.1
bound=$(counter bound)
ip -n "$LAB_BOX_NS" address add 10.66.40.2/16 dev "$LAB_UPLINK"
ip -n "$LAB_BOX_NS" address add 10.66.40.1/16 dev "$LAB_UPLINK"
check "when the box takes it, the lease goes" wait_until 10 is_dark 10.66.40.1
check_eq "which is counted" 1 "$(counter released_excluded)"
own=$(box ip -j link show "$LAB_UPLINK" | jq -r '.[0].address')
check_eq "and the box answers for it" "$own" "$(mac_in_answer 10.66.40.1)"
check_eq "as for a new one that was dark" "$own" "$(mac_in_answer 10.66.40.2)"
check_eq "neither was bound for that" "$bound" "$(counter bound)"

done_testing
