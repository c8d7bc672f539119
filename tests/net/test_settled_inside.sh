#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is to be seen in a container of its network, once it is settled, is what it would be if skepd had
# bound it itself, whichever way the first contact came: rules, routes, addresses, neighbours, groups and
# all that /proc tells of them. Nothing is left of how it waited; and who has asked is known to it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=5 MAX=8
readonly ASKED=10.66.4.2 PINGED=10.66.4.3 FETCHED=10.66.4.4 REMEMBERED=10.66.4.5
readonly WAYS="ASKED PINGED FETCHED REMEMBERED"
readonly VIEWS="rules routes addresses links neighbours groups sysctls tables"

# --- what is seen inside: view_NAME PID ---

plain() { sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/link-netnsid [0-9]+//; s/ +/ /g; s/ $//'; }
view_rules() { in_net "$1" ip -details rule; }
view_routes() { in_net "$1" ip -details route show table all | plain; }
view_addresses() { in_net "$1" ip -details -oneline address | plain; }
view_links() { in_net "$1" ip -details -oneline link | plain; }
# Between these four an entry goes by itself.
view_neighbours() { in_net "$1" ip neighbour | sed -E 's/(REACHABLE|STALE|DELAY|PROBE)/VALID/' | plain | sort; }
view_groups() { in_net "$1" ip maddress; }
view_sysctls() {
	in_net "$1" bash -c 'cd /proc/sys/net &&
		find ipv4/conf ipv4/neigh ipv4/route core -type f -readable | sort | xargs grep -sH ""'
}
view_tables() {
	in_net "$1" bash -c 'cat /proc/net/{route,fib_trie,igmp,dev_mcast}; cut -c1-28,41- /proc/net/arp
		sed "/^gets = /,/^skipped node resize/d" /proc/net/fib_triestat' # some kernels count who looks
}

# The kinds of routes in a view, and to what.
routes_in() {
	awk '{ for (i = 1; i <= 3; i++) if ($i ~ /^(broadcast|local|default)$/) { print $i, $(i + 1); next } }' "$1" |
		sed 's/default .*/default/' | grep -v 'local 127' | sort -u | xargs
}

look_at() { # MODE WAY
	local view pid
	pid=$(lease "${!2}" pid)
	mkdir -p "$tmp/$1.$2"
	for view in $VIEWS; do
		"view_$view" "$pid" >"$tmp/$1.$2/$view" 2>&1 || true
	done
}

contact_ASKED() { who_has "$ASKED"; }
contact_PINGED() { client ping -q -c 1 -W 5 "$PINGED"; }
contact_FETCHED() { client curl -sSf -m 5 -o "$tmp/page" "http://$FETCHED/"; }
contact_REMEMBERED() { client ping -q -c 1 -W 5 "$REMEMBERED"; }

# The router knows its link address for good; it is dark.
remember() {
	who_has "$1"
	router ip neigh replace "$1" lladdr "$(lease "$1" mac)" dev "$LAB_LAN" nud permanent
	ctl release "$1" >"$tmp/output"
	wait_until 20 pool_has idle "$WARM"
}

lab_up
router=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
for BIND in kernel daemon; do
	skepd_start
	remember "$REMEMBERED"
	view_routes "$(containers idle pid | head -n 1)" >"$tmp/$BIND.idle"
	for way in $WAYS; do
		check "$BIND: $way: a first contact" "contact_$way"
		check "$BIND: $way: is settled" wait_until 5 is_settled "${!way}"
		look_at "$BIND" "$way"
	done
	check_eq "$BIND: bound as it should be" "$BIND 5" \
		"$(ctl --json status | jq -r .bind) $(counter "$([[ $BIND == kernel ]] && echo settled || echo bound)")"
	check "$BIND: skepd stops" skepd_stop
	router ip neigh flush dev "$LAB_LAN" nud all
done

for way in $WAYS; do
	check_eq "$way: the rules are those of any machine" $'0:\tfrom all lookup local proto kernel
32766:\tfrom all lookup main proto kernel
32767:\tfrom all lookup default proto kernel' "$(sed 's/unspec //; s/ $//' "$tmp/kernel.$way/rules")"
	check_eq "$way: routes are those of one address" \
		"broadcast 10.66.255.255 broadcast 127.255.255.255 default local ${!way}" \
		"$(routes_in "$tmp/kernel.$way/routes")"
	check_match "$way: it knows who has asked, or who has sent him" "^$LAB_GATEWAY dev eth0 lladdr $router VALID\$" \
		"$(cat "$tmp/kernel.$way/neighbours")"
	check "$way: it answers whoever asks, whatever the box is set to" \
		grep -q '/eth0/rp_filter:0$' "$tmp/kernel.$way/sysctls"
	for view in $VIEWS; do
		check_eq "$way: $view are the same, whoever has bound it" '' \
			"$(diff "$tmp/daemon.$way/$view" "$tmp/kernel.$way/$view")"
		check "$way: there is something to see of $view" test -s "$tmp/kernel.$way/$view"
	done
done
check_status "while it waits, they are not the same: there is something to be left" 1 \
	cmp -s "$tmp/kernel.idle" "$tmp/daemon.idle"

# An answer that waits for the router's link address is not lost by being settled.
for BIND in kernel daemon; do
	skepd_start
	remember "$REMEMBERED"
	router tee "/proc/sys/net/ipv4/conf/$LAB_LAN/arp_ignore" <<<8 >"$tmp/output" # answers nobody
	spawn client ping -q -c 1 -W 10 "$REMEMBERED" >"$tmp/ping.$BIND" 2>&1
	check "$BIND: a container does not find its gateway, and is settled meanwhile" wait_until 5 is_settled "$REMEMBERED"
	sleep 0.1
	router tee "/proc/sys/net/ipv4/conf/$LAB_LAN/arp_ignore" <<<0 >"$tmp/output"
	check "$BIND: the first ping is answered nevertheless" wait "$spawned"
	check "$BIND: skepd stops" skepd_stop
	router ip neigh flush dev "$LAB_LAN" nud all
done

done_testing
