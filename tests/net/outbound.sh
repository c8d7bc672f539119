# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# outbound.sh: servers outside and clients inside, for the net tests that look what containers may
# send; lib.sh and wire.sh come first. It owns nothing.
# shellcheck disable=SC2154 # pid is the test's: the container that is meant

REPLY=$BUILD/tests/reply
[[ -x $REPLY ]] || bail "no $REPLY: run 'make $BUILD/tests/reply' first"

# serve WORD PROTOCOL ADDRESS PORT: the client's namespace answers WORD there
serve() {
	spawn client "$REPLY" "$2" "$3" "$4" "$1"
	wait_until 5 is_served "$2" "$3" "$4" "$1" || bail "no server at $3 port $4"
}
is_served() { [[ $(client "$REPLY" "ask-$1" "$2" "$3") == "$4" ]]; }

# ask PROTOCOL ADDRESS PORT: what a client inside is answered
ask() { in_net "$pid" "$REPLY" "ask-$1" "${@:2}"; }

# check_answer TEXT WORD PROTOCOL ADDRESS PORT; check_refused, check_silence: there is none
check_answer() { check_eq "$1" "$2" "$(ask "${@:3}" || echo "none, status $?")"; }
check_refused() { check_status "$1" 1 ask "${@:2}"; }
check_silence() { check_status "$1" 2 ask "${@:2}"; }

# rule POLICY RULE KEY: of what `skepctl policy` says; '' for what no rule matched
rule() {
	ctl --json policy | jq -r --arg policy "$1" --arg rule "$2" --arg key "$3" \
		'.rules[] | select(.policy == $policy and (.rule // "") == $rule)[$key]'
}

# flow ADDRESS REMOTE KEY: of the flows between the two, one a line
flow() {
	ctl --json flows "$1" | jq -r --arg remote "$2" --arg key "$3" \
		'.flows[] | select(.remote == $remote)[$key]'
}

# watch_events: from now on events go to $tmp/events, a line each
watch_events() {
	spawn box "$SKEPCTL" -s "$socket" --json watch >"$tmp/events"
	wait_until 5 is_watched || bail "skepctl watch does not connect"
}

# event JQ: an event for which this holds has come
event() { jq -es --arg a "${2:-}" "map(select($1)) | length > 0" "$tmp/events"; }
