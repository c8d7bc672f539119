#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An address that nobody had is answered by a real container, whichever client asks first; after that
# its frames pass without skepd, and untouched.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/telnet.sh"

WARM=6 MAX=16

page() { client curl -sSf -m 10 "http://$1/"; }
ftp() { client curl -sSf -m 10 "ftp://$1/$2"; }

lab_up
skepd_start 'oui = { "00:1b:21", "b8:ca:3a" }'

# Each of these is the first to ask for its address.
check "the router's kernel resolves a dark address: a ping from behind it is answered" \
	client ping -q -c 1 -W 5 10.66.4.2
check "one arping is enough" who_has 10.66.4.3
check "curl gets the page" page 10.66.4.4
check_match "and it is the page of the template" 'FileBox' "$(page 10.66.4.4)"
check_match "telnet logs in as root, with the password admin" 'uid=0\(root\) gid=0\(root\)' \
	"$(log_in 10.66.4.5 id 2>&1)"
check_match "an FTP client gets a file" 'FTP|pub' "$(ftp 10.66.4.6 welcome.txt 2>&1)"
check_eq "each was bound once, and nothing else" "$(printf '10.66.4.%d\n' 2 3 4 5 6)" "$(leased)"
check_eq "by one bind each" 5 "$(comes_to bound 5)"

check "the pool is warm again" wait_until 10 pool_has idle "$WARM"
router nmap -n -sn -oG "$tmp/nmap" 10.66.5.1-5 >"$tmp/output"
check_eq "nmap -sn finds all five hosts of a sweep" "$(printf '10.66.5.%d\n' 1 2 3 4 5)" \
	"$(sed -n 's/^Host: \([0-9.]*\) .*Status: Up.*/\1/p' "$tmp/nmap")"
check_eq "and they are leased, too" 10 "$(leased | wc -l)"

# Link addresses
mac=$(lease 10.66.4.2 mac)
check_match "the vendor of the link address is one of those configured" '^(00:1b:21|b8:ca:3a):' "$mac"
check_eq "it is what the container answers" "$mac" "$(mac_in_answer 10.66.4.2)"
check_eq "and what the router's kernel has learnt" "$mac" \
	"$(router ip -j neigh show 10.66.4.2 dev "$LAB_LAN" | jq -r '.[0].lladdr')"
check_eq "addresses have different ones" 10 "$(ctl --json leases | jq '[.leases[].mac] | unique | length')"
pid=$(lease 10.66.4.2 pid)
ctl release 10.66.4.2 >"$tmp/output"
router ip neigh flush dev "$LAB_LAN"
check "after a release, the address is bound anew" client ping -q -c 1 -W 5 10.66.4.2
check_eq "with the same link address" "$mac" "$(mac_in_answer 10.66.4.2)"
check_eq "by another container" different \
	"$([[ $(lease 10.66.4.2 pid) == "$pid" ]] && echo the same || echo different)"

# From here on, skepd has no part in it.
asked=$(contacts arp) bound=$(counter bound) arps=$(counter leased_arp) ips=$(counter leased_ip)
kill -STOP "$skepd_pid"
check "pings reach a leased address while skepd stands still" client ping -q -c 5 -i 0.05 -W 5 10.66.4.2
check "who-has, too" who_has 10.66.4.2
check "and pages" page 10.66.4.4
kill -CONT "$skepd_pid"
check_eq "none of it is counted as a first contact" "$asked" "$(contacts arp)"
check_eq "nothing was bound" "$bound" "$(counter bound)"
check_eq "nothing of it is counted as IP to a dark address" 0 "$(contacts ip)"
check "the who-has counts as leased" counted leased_arp $((arps + 1))
check "the pings and the page count as leased" counted leased_ip $((ips + 5 + 5))

# Untouched: the same bytes at both ends.
sniff lan router "$LAB_LAN" -x 'dst host 10.66.4.2 and icmp[icmptype] == icmp-echo'
sniff container "$(lease 10.66.4.2 pid)" eth0 -x 'icmp[icmptype] == icmp-echo'
check "a ping with TTL 1 is answered: nobody routes in between" \
	router ping -c 1 -W 5 -t 1 -s 100 -p 5ea1 10.66.4.2
check_match "and so is the way back: the answer's TTL is fresh" 'ttl=64' "$(cat "$tmp/output")"
check "the ping is captured on the wire" wait_until 5 seen lan '0x0070:'
check "and in the container" wait_until 5 seen container '0x0070:'
check_eq "the container sees the very bytes that the router sent" "$(cat "$tmp/lan")" "$(cat "$tmp/container")"

done_testing
