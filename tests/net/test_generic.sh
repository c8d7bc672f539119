#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Generic XDP, for NICs whose driver has none: the same, and the operator is told which it is.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=3 MAX=8

mode() { ctl --json status | jq -r '.uplinks[0].xdp'; }
# What ip(8) calls it: 1 native, 2 generic
kernel_mode() { box ip -d -j link show "$LAB_UPLINK" | jq '.[0].xdp.mode'; }

lab_up
skepd_start 'uplink: xdp = "native"'
check_eq "native: the status says so" 'native 1' "$(mode) $(kernel_mode)"
check "native: a dark address answers" client ping -q -c 1 -W 5 10.66.4.2
check "native: skepd stops" skepd_stop

skepd_start 'uplink: xdp = "generic"'
check_eq "generic: the status says so, and the kernel" 'generic 2' "$(mode) $(kernel_mode)"
check "generic: so does the log" logged "$LAB_UPLINK: watching, generic XDP"
router ip neigh flush dev "$LAB_LAN"
check "generic: the router's kernel resolves a dark address" client ping -q -c 1 -W 5 10.66.4.2
check "generic: the bound address goes on answering" client ping -q -c 5 -i 0.05 -W 5 10.66.4.2
check "generic: one arping is enough" who_has 10.66.4.3
check "generic: a page comes from a dark address" client curl -sSf -m 10 -o "$tmp/page" http://10.66.4.4/
check_match "generic: it is the page" FileBox "$(cat "$tmp/page")"
asked=$(contacts arp)
bytes=$(client curl -sSf -m 20 "ftp://10.66.4.4/pub/price-list-2026.csv" | wc -c)
check_eq "generic: a file comes whole" "$(wc -c <"$SKEP_TEMPLATE/srv/ftp/pub/price-list-2026.csv")" "$bytes"
check_eq "generic: nothing of it asked for a dark address" "$asked" "$(contacts arp)"
check "generic: frames to leases are redirected" counted leased_ip 10

# A router with a warm cache
mac=$(lease 10.66.4.2 mac)
router ip neigh replace 10.66.4.2 lladdr "$mac" dev "$LAB_LAN" nud permanent
ctl release 10.66.4.2 >"$tmp/output"
check "generic: IP without ARP binds, and the packet arrives" client ping -q -c 1 -W 5 10.66.4.2
check_eq "generic: by that packet" 1 "$(contacts ip)"
check "generic: the box's own traffic passes" router ping -q -c 3 -i 0.05 -W 5 "$LAB_BOX"

done_testing
