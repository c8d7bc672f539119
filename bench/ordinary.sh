# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# ordinary.sh: addresses that a Linux kernel has had all along, to compare with; tests/net/lib.sh comes
# first. Each has a wire of its own to the router, so that no bridge floods a question to others.
#
#	machine     a network namespace at the other end of that wire: two hops, no program in between
#	container   one more veth pair away, behind a bridge that joins just the two: as far from the
#	            router as a container of skep is, and what is found on any container host
#
# It owns these namespaces and removes them with the lab.

ordinary_count=0
readonly ORDINARY_NET=10.65

# ordinary_address KIND NUMBER: machines count from .1.1, containers from .129.1
ordinary_address() {
	local third=$((1 + $2 / 250))
	[[ $1 == machine ]] || ((third += 128))
	echo "$ORDINARY_NET.$third.$((1 + $2 % 250))"
}

# The router's interface towards it
ordinary_wire() { echo "${1:0:1}$2"; }
ordinary_ns() { echo "$LAB_PREFIX-${1:0:1}$2"; }
bridges_ns() { echo "$LAB_PREFIX-bridges"; }

# A pair with one queue: with more, each takes a grace period to be made.
pair() { echo "link add $1 numrxqueues 1 numtxqueues 1 type veth peer name $2 netns $3 numrxqueues 1 numtxqueues 1"; }

wires() {
	local i
	for ((i = 0; i < $1; i++)); do
		pair "m$i" eth0 "$(ordinary_ns machine "$i")"
		pair "c$i" "e$i" "$(bridges_ns)"
		printf '%s\n' "address add $ORDINARY_NET.0.1/32 dev "{m,c}"$i" "link set "{m,c}"$i up"
	done
}

bridges() {
	local i
	for ((i = 0; i < $1; i++)); do
		pair "p$i" eth0 "$(ordinary_ns container "$i")"
		echo "link add b$i type bridge mcast_snooping 0"
		printf '%s\n' "link set "{e,p}"$i master b$i" "link set "{b,e,p}"$i up"
	done
}

new_ns() {
	ip netns add "$1"
	# shellcheck disable=SC2016 # of the shell inside
	nsenter --net="/run/netns/$1" sh -c '[ ! -d /proc/sys/net/ipv6 ] ||
		echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6 >/dev/null; ip link set lo up'
}

# ordinary_up COUNT: so many of each kind
ordinary_up() {
	local kind i
	ordinary_count=$1
	new_ns "$(bridges_ns)"
	for ((i = 0; i < $1; i++)); do
		new_ns "$(ordinary_ns machine "$i")"
		new_ns "$(ordinary_ns container "$i")"
	done
	wires "$1" | ip -n "$LAB_ROUTER_NS" -batch -
	bridges "$1" | ip -n "$(bridges_ns)" -batch -
	for kind in machine container; do
		for ((i = 0; i < $1; i++)); do
			printf '%s\n' "address add $(ordinary_address "$kind" "$i")/16 dev eth0" "link set eth0 up" |
				ip -n "$(ordinary_ns "$kind" "$i")" -batch -
		done
	done
}

ordinary_down() {
	local i
	for ((i = 0; i < ordinary_count; i++)); do
		ip netns delete "$(ordinary_ns machine "$i")" || true
		ip netns delete "$(ordinary_ns container "$i")" || true
	done
	((ordinary_count == 0)) || ip netns delete "$(bridges_ns)" || true
	ordinary_count=0
}

# In place of lib.sh's own.
lab_down() {
	[[ $lab == up ]] || return 0
	ordinary_down 2>/dev/null
	"$LAB" down
	lab=down
}
