#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The control socket against whoever may open it: garbage, huge and half-written requests, many clients,
# clients that never read. They get an error or are disconnected; the others are served, and binding
# goes on all the while.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=4 MAX=16
readonly MANY=100 PLACES=50 TALK=$BUILD/tests/talk
[[ -x $TALK ]] || bail "no $TALK: run 'make $TALK' first"

# say LINES TEXT: and so many lines of answer; 0 for all until skepd closes. TEXT has printf's escapes.
say() { printf '%b' "$2" | timeout 10 "$TALK" "$socket" "$1"; }

# hold CLIENTS TEXT: as many clients that say it, read nothing, and stay; $spawned holds them
hold() {
	printf '%b' "$2" >"$tmp/say"
	: >"$tmp/holds"
	spawn box "$TALK" "$socket" hold "$1" <"$tmp/say" >"$tmp/holds" 2>&1
	wait_until 10 grep -q holding "$tmp/holds"
}

let_go() {
	kill "$spawned"
	wait "$spawned" 2>/dev/null || true
}

# The address of each check is new, and stays bound: a release would be asked for by skepctl.
address=1
others_go_on() {
	check "$1: skepctl is served" timeout 5 "$SKEPCTL" -s "$socket" status
	check "$1: binding goes on" who_has "10.66.4.$((++address))"
}

# errors TEXT ERROR REQUEST: this error comes back
errors() { check_eq "$1: is told why" "{\"error\":\"$2\"}" "$(say 1 "$3\n")"; }

lab_up
skepd_start 'group = "daemon"'
control=$(pgrep --parent "$skepd_pid" --exact skepd-control)

check_eq "the socket is root's and its group's" '660 root daemon' "$(stat -c '%a %U %G' "$socket")"

errors "garbage" 'not a JSON object' 'GET / HTTP/1.1\r'
errors "an empty line" 'not a JSON object' ''
errors "bytes that are no text" 'not a JSON object' '\x80\xff\x01'
errors "a NUL byte" 'not a JSON object' '{"command":"status"}\0'
errors "an array" 'not a JSON object' '["status"]'
errors "an object without a command" 'no \"command\" given' '{}'
errors "a command of another type" 'no \"command\" given' '{"command":1}'
errors "an unknown command" 'no such command' '{"command":"reboot"}'
errors "the same key twice" 'not a JSON object' '{"command":"status","command":"leases"}'
errors "JSON that does not end" 'not a JSON object' '{"command":"status"'
errors "JSON nested too deep" 'not a JSON object' "$(printf '[%.0s' {1..3000})"
errors "a release without an address" '\"address\" is no IPv4 address' '{"command":"release"}'
errors "a release of a name" '\"address\" is no IPv4 address' '{"command":"release","address":"gateway"}'
errors "a release with a VLAN that is none" '\"vlan\" is no VLAN id (0 to 4094)' \
	'{"command":"release","address":"10.66.4.2","vlan":4095}'
errors "a release with an uplink that is none" '\"uplink\" is no interface name' \
	'{"command":"release","address":"10.66.4.2","uplink":"a-name-that-is-too-long"}'
errors "a resize without numbers" '\"warm\" is no number of containers (1 to 65536)' '{"command":"resize"}'
errors "a resize to nothing" '\"max\" is no number of containers (1 to 65536)' \
	'{"command":"resize","warm":1,"max":0}'
errors "a resize to more warm ones than there may be" '\"warm\" is more than \"max\"' \
	'{"command":"resize","warm":5,"max":4}'
errors "a drain that does not say which" '\"on\" is neither true nor false' '{"command":"drain","on":1}'
check_eq "none of these changed anything" "running $WARM $MAX" \
	"$(ctl --json status | jq -r '"\(.state) \(.pool.warm) \(.pool.max)"')"
check_eq "two requests at once get two answers, in order" $'leases\ncounters' \
	"$(say 2 '{"command":"leases"}\n{"command":"counters"}\n' | jq -r 'keys[0]')"
check_eq "what follows an error is answered" running \
	"$(say 2 'oops\n{"command":"status"}\n' | jq -r 'select(.state).state')"
check_eq "a request may come in parts" running \
	"$({ printf '{"comm'; sleep 0.2; printf 'and":"status"}\n'; } | timeout 10 "$TALK" "$socket" 1 | jq -r .state)"
others_go_on "after garbage"

# A line without end
check_eq "a huge line: no answer, and the end of the connection" '' \
	"$(say 0 "$(printf 'x%.0s' {1..100000})" | head -c 100)"
others_go_on "after a huge line"

# Half a request, and then nothing; and one that asks without end and never reads.
hold 1 '{"command":'
others_go_on "with half a request"
counters=$(printf '{"command":"counters"}\\n%.0s' {1..5000})
hold 1 "$counters"
memory() { awk '/^VmRSS:/ { print $2 }' "/proc/$control/status"; }
others_go_on "with one that asks 5000 times and never reads"
check "what it leaves unread is not piled up ($(memory) KiB in all)" test "$(memory)" -lt 32768
hold 1 '{"command":"watch"}\n'
others_go_on "with a watcher that never reads"
containers=$(printf '{"command":"containers"}\\n{"command":"leases"}\\n%.0s' {1..5000})
hold 20 "$containers"
others_go_on "with 20 that ask for long lists and never read"
let_go
reloads=$(printf '{"command":"reload"}\\n%.0s' {1..50})
hold 10 "$reloads"
others_go_on "with 10 that have the configuration read again and again"
let_go
others_go_on "when these have gone"

# As many at once as there are places for, and some are taken; each with a proper request
for ((i = 0; i < PLACES; i++)); do
	"$SKEPCTL" -s "$socket" --json leases >"$tmp/answer.$i" 2>&1 &
	pids[i]=$!
done
served=0
for ((i = 0; i < PLACES; i++)); do
	! wait "${pids[i]}" || ((++served))
done
check_eq "$PLACES clients with a proper request, all at once: each is answered" "$PLACES" "$served"
check_eq "with the same answer" 1 "$(cat "$tmp"/answer.* | sort -u | wc -l)"

# Many that only hold their connection, with nothing said, or half of it
hold "$MANY" ''
others_go_on "with $MANY clients that say nothing"
let_go
others_go_on "when they have gone"
hold "$MANY" '{"command":'
others_go_on "with $MANY half-written requests"
let_go
others_go_on "when these have gone"

check_eq "the control process is still the one of the beginning" "$control" \
	"$(pgrep --parent "$skepd_pid" --exact skepd-control)"
check_eq "nothing was lost on the way to it" 0 "$(counter log_dropped)"

done_testing
