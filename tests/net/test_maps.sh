#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The pinned maps can be read by people: `bpftool map dump` prints the names of the fields, and what
# stands there is what skepctl says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=5

# bpftool's JSON has the raw bytes and, as "formatted", what BTF makes of them.
dump() { bpftool -j map dump pinned "$bpf_dir/$1" | jq '[.[].formatted]'; }
dotted() { jq -r "$1.ip.octet | map(tostring) | join(\".\")"; }

lab_up
skepd_start
check_eq "without leases, the map is empty" '[]' "$(dump leases)"
check "an address is bound" client ping -q -c 3 -i 0.05 -W 5 10.66.4.2
check "and its container told" wait_until 5 is_settled 10.66.4.2
wait_until 5 counted bound 1 || true
dump leases >"$tmp/leases"

check_eq "leases: one entry" 1 "$(jq length "$tmp/leases")"
check_eq "leases: the key is the address, with VLAN and uplink" '10.66.4.2 0 0' \
	"$(dotted '.[0].key' <"$tmp/leases") $(jq -r '.[0].key | "\(.vlan) \(.uplink)"' "$tmp/leases")"
check_eq "leases: the fields have names" \
	'bind_ns bound_ns container eth0 id last_in_ns last_out_ns mac packets_in packets_out port settle_ns state' \
	"$(jq -r '.[0].value | keys | join(" ")' "$tmp/leases")"
check_eq "leases: the link address is the one that skepctl names" "$(lease 10.66.4.2 mac | tr -d :)" \
	"$(jq -r '.[0].value.mac[]' "$tmp/leases" | xargs printf '%02x')"
check_eq "leases: so is the container" "$(lease 10.66.4.2 container)" "c$(jq '.[0].value.container' "$tmp/leases")"
check_eq "leases: and the time of the bind" "$(lease 10.66.4.2 bind_us | jq '. * 10 | round')" \
	"$(jq '.[0].value.bind_ns / 100 | floor' "$tmp/leases")"
check "leases: packets are counted" jq -e '.[0].value | .packets_in >= 3 and .packets_out >= 3' "$tmp/leases"
check_eq "leases: the link address inside is the same, once it is settled" '3 true' \
	"$(jq -r '.[0].value | "\(.state) \(.mac == .eth0)"' "$tmp/leases")"
check_eq "leases: that took time, unless skepd has bound it" "$([[ $BIND == kernel ]] && echo true || echo false)" \
	"$(jq '.[0].value.settle_ns > 0' "$tmp/leases")"
port=$(jq '.[0].value.port' "$tmp/leases")
check_eq "leases: the port is one of the containers' veths" 1 \
	"$(ports | grep -Fxc "$(box ip -j link show | jq -r --argjson port "$port" '.[] | select(.ifindex == $port).ifname')")"

check_eq "ports: the port of the lease, and what it may be" "$port 0 0" \
	"$(dump ports | jq -r '.[] | select(.value.shut == 0) | "\(.key) \(.value.uplink) \(.value.vlan)"')"
dump containers | jq '[.[] | select(.value.state != "SKEP_STATE_NONE")]' >"$tmp/containers"
check_eq "containers: states by name, as skepctl counts them, and no slot beside those" \
	"$(pool bound) $(pool idle) $(ctl --json containers | jq '.containers | length')" \
	"$(jq -r '[.[].value.state] | "\(map(select(. == "SKEP_STATE_BOUND")) | length) \(map(select(. == "SKEP_STATE_IDLE")) | length) \(length)"' "$tmp/containers")"
check_eq "containers: the bound one has the lease" "10.66.4.2 1 $port" \
	"$(jq -r '.[].value | select(.leases > 0) | "\(.address.ip.octet | map(tostring) | join(".")) \(.leases) \(.port)"' "$tmp/containers")"
check_eq "templates: by their ordinals" basic "$(dump templates | jq -r '.[0].value.name')"
check_match "settings: the version of the maps" '^[1-9][0-9]*$' "$(dump settings | jq '.[0].value.version')"
check_eq "latency: the one bind is in the histogram" 1 "$(dump latency | jq '[.[].value] | add')"
check_eq "uplinks: the NIC by its number" "$(box ip -j link show "$LAB_UPLINK" | jq '.[0].ifindex')" \
	"$(dump uplinks | jq '.[0].value.ifindex')"
check "ranges: the range, and what is excluded from it" test "$(dump ranges | jq '[.[].value.flags % 2] | unique | length')" -eq 2
check_match "ranges: the range is there by its prefix" '10\.66\.0\.0/48' \
	"$(dump ranges | jq -r '.[] | select(.value.flags % 2 == 0).key | "\(.ip.octet | map(tostring) | join("."))/\(.prefixlen)"')"
check_match "people get names without -j, too" '"octet": \[10,66,4,2' "$(bpftool map dump pinned "$bpf_dir/leases")"

ctl release 10.66.4.2 >"$tmp/output"
check_eq "after the release, the lease is out of the map" '[]' "$(dump leases)"
check_eq "and its port" '[]' "$(dump ports | jq -c '[.[] | select(.value.shut == 0)]')"

done_testing
