# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# segment.sh: a wire with more machines on it than router and box, for the net tests that need real
# hosts; lib.sh comes first. The router's end becomes a port of a bridge, which takes over its name
# and address. It owns the namespaces of its hosts, and removes them with the lab.
# shellcheck disable=SC2034 # for the test to use

segment_hosts=()

# mac_in NAMESPACE INTERFACE
mac_in() { ip -n "$1" -j link show "$2" | jq -r '.[0].address'; }

segment_up() {
	local mac
	mac=$(mac_in "$LAB_ROUTER_NS" "$LAB_LAN")
	ip -n "$LAB_ROUTER_NS" link set "$LAB_LAN" down
	ip -n "$LAB_ROUTER_NS" link set "$LAB_LAN" name port0
	ip -n "$LAB_ROUTER_NS" address flush dev port0
	# With an address of its own it does not change it when a host comes.
	ip -n "$LAB_ROUTER_NS" link add "$LAB_LAN" address "$mac" type bridge mcast_snooping 0
	ip -n "$LAB_ROUTER_NS" link set port0 master "$LAB_LAN"
	ip -n "$LAB_ROUTER_NS" link set port0 up
	ip -n "$LAB_ROUTER_NS" link set "$LAB_LAN" up
	ip -n "$LAB_ROUTER_NS" address add "$LAB_GATEWAY/16" dev "$LAB_LAN"
	wait_until 5 router ping -q -c 1 -W 1 "$LAB_BOX" || bail "the bridge does not forward"
}

# host_up NAME [ADDRESS]: a machine on the segment; its NIC is eth0
host_up() {
	local ns=$LAB_PREFIX-$1
	ip netns add "$ns"
	segment_hosts+=("$ns")
	ip -n "$LAB_ROUTER_NS" link add "p-$1" type veth peer name eth0 netns "$ns"
	ip -n "$LAB_ROUTER_NS" link set "p-$1" master "$LAB_LAN"
	ip -n "$LAB_ROUTER_NS" link set "p-$1" up
	nsenter --net="/run/netns/$ns" ethtool -K eth0 gro on tx off >/dev/null
	if [[ -d /proc/sys/net/ipv6 ]]; then
		on_host "$1" tee /proc/sys/net/ipv6/conf/all/disable_ipv6 <<<1 >/dev/null
	fi
	ip -n "$ns" link set lo up
	ip -n "$ns" link set eth0 up
	[[ -z ${2:-} ]] || ip -n "$ns" address add "$2/16" dev eth0
}

# on_host NAME COMMAND...
on_host() { nsenter --net="/run/netns/$LAB_PREFIX-$1" -- "${@:2}"; }

host_mac() { mac_in "$LAB_PREFIX-$1" eth0; }

host_down() {
	ip -n "$LAB_ROUTER_NS" link delete "p-$1" 2>/dev/null || true
	ip netns delete "$LAB_PREFIX-$1" 2>/dev/null || true
}

lab_down() {
	local ns
	[[ $lab == up ]] || return 0
	for ns in "${segment_hosts[@]}"; do
		host_down "${ns#"$LAB_PREFIX-"}"
	done
	"$LAB" down
	lab=down
}
