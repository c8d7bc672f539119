# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# wire.sh: frames built by hand, and what arrives somewhere. For the net tests that need them; lib.sh
# comes first. Frames are hexadecimal. It owns nothing but the captures in the test's directory.
# shellcheck disable=SC2154 # tmp and spawned are lib.sh's

SEND_FRAME=$BUILD/tests/send_frame
[[ -x $SEND_FRAME ]] || bail "no $SEND_FRAME: run 'make $BUILD/tests/send_frame' first"

readonly BROADCAST=ff:ff:ff:ff:ff:ff NOBODY=00:00:00:00:00:00

hex_mac() { echo "${1//:/}"; }

hex_ip() {
	# shellcheck disable=SC2086 # one word an octet
	printf '%02x%02x%02x%02x' ${1//./ }
}

# arp OPERATION SENDER_MAC SENDER_IP TARGET_MAC TARGET_IP: what follows the Ethernet header
arp() {
	printf '0001080006040%03x%s%s%s%s' "$1" "$(hex_mac "$2")" "$(hex_ip "$3")" \
		"$(hex_mac "$4")" "$(hex_ip "$5")"
}

# ethernet DESTINATION SOURCE TYPE PAYLOAD; TYPE may hold a tag: 810000070806
ethernet() { printf '%s%s%s%s' "$(hex_mac "$1")" "$(hex_mac "$2")" "$3" "$4"; }

# who_has_frame MAC IP TARGET_IP [TAG]: a plain who-has, as a machine with that MAC and IP would ask
who_has_frame() {
	ethernet "$BROADCAST" "$1" "${4:-}0806" "$(arp 1 "$1" "$2" "$NOBODY" "$3")"
}

# checksum HEX: of the Internet (RFC 1071), over an even number of bytes
checksum() {
	local sum=0 i
	for ((i = 0; i < ${#1}; i += 4)); do
		((sum += 16#${1:i:4}))
	done
	while ((sum > 0xffff)); do
		((sum = (sum >> 16) + (sum & 0xffff)))
	done
	printf '%04x' $((sum ^ 0xffff))
}

# ipv4 SOURCE DESTINATION PROTOCOL PAYLOAD
ipv4() {
	local length head addresses
	length=$(printf '%04x' $((20 + ${#4} / 2)))
	head=4500${length}00014000$(printf '40%02x' "$3")
	addresses=$(hex_ip "$1")$(hex_ip "$2")
	printf '%s%s%s%s' "$head" "$(checksum "$head$addresses")" "$addresses" "$4"
}

# icmp_echo TYPE SOURCE DESTINATION: an IPv4 packet. A reply that nobody asked for gets no answer.
icmp_echo() {
	local rest=12340001736b6570
	ipv4 "$2" "$3" 1 "${1}00$(checksum "${1}00$rest")$rest"
}

echo_request() { icmp_echo 08 "$@"; }
echo_reply() { icmp_echo 00 "$@"; }

# send_lan FRAME...: from the router's end of the uplink
send_lan() { router "$SEND_FRAME" "$LAB_LAN" "$@"; }

# sniff NAME ROLE|PID INTERFACE FILTER: from now on, what passes there goes to $tmp/NAME, a line a frame
sniff() {
	local name=$1 where=$2 interface=$3
	local command=(tcpdump -l -n -e -t --immediate-mode -i "$interface" "${@:4}")
	[[ $where != [0-9]* ]] || command=(nsenter --target "$where" --net -- "${command[@]}")
	[[ $where != [0-9]* ]] || where=box
	spawn "$where" "${command[@]}" >"$tmp/$name" 2>"$tmp/$name.err"
	wait_until 10 grep -q listening "$tmp/$name.err" ||
		bail "tcpdump does not start: $(cat "$tmp/$name.err")"
}

# seen NAME REGEX: a frame like this is in the capture
seen() { grep -Eq -- "$2" "$tmp/$1"; }
how_many() { grep -Ec -- "$2" "$tmp/$1" || true; }
