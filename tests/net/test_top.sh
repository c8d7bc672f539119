#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# skepctl top: once, as text and as JSON, and live on a terminal of its own: what it shows, keys, other
# sizes, the end of skepd, and the terminal afterwards as it was. Where it cannot draw it says so.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
command -v script >/dev/null || bail "'script' is missing: run 'make deps'"

WARM=4 MAX=4 # all idle: the bar is full

# on_terminal TERM COMMAND: runs it on a new terminal of 80x24; what it draws goes to $tmp/screen, and
# $keys is where it is typed to. Before and after, the terminal's settings are noted.
on_terminal() {
	rm -f "$tmp/tty" "$tmp/before" "$tmp/after" "$tmp/status" "$tmp/keys"
	mkfifo "$tmp/keys"
	cat >"$tmp/script" <<-EOT
		tty >"$tmp/tty"
		stty rows 24 cols 80
		stty -g >"$tmp/before"
		$2
		echo \$? >"$tmp/status"
		stty -g >"$tmp/after"
	EOT
	TERM=$1 setsid script -qfc "bash $tmp/script" /dev/null <>"$tmp/keys" >"$tmp/screen" 2>&1 &
	exec {keys}>"$tmp/keys"
}
is_drawn() { grep -qaE -- "$1" "$tmp/screen"; }
has_ended() { [[ -s $tmp/after ]]; }

# ends TEXT STATUS
ends() {
	check "$1: it ends" wait_until 10 has_ended
	check_eq "$1: with status $2" "$2" "$(cat "$tmp/status")"
	check_eq "$1: the terminal is as it was" "$(cat "$tmp/before")" "$(cat "$tmp/after")"
	check "$1: and shows what it had shown" is_drawn $'\e\\[\\?1049l'
	exec {keys}>&-
}

TOP="'$SKEPCTL' -s '$socket' top"

lab_up
skepd_start

# Once
ctl top >"$tmp/text"
check_eq "no line is longer than 80, and there are at most 24" '' \
	"$(awk 'length($0) > 80 || NR > 24' "$tmp/text")"
check_match "the state, and how many leases" '^skep  running for [0-9]+:[0-9]{2}:[0-9]{2}, 0 leases$' "$(head -n 1 "$tmp/text")"
check_match "the rates" 'binds [0-9.]+/s   releases [0-9.]+/s   refused [0-9.]+/s' "$(cat "$tmp/text")"
check_match "the pool, with a full bar of idle containers" 'basic +\[={37}\] 0 bound 4 idle' "$(cat "$tmp/text")"
check_match "no latency yet" 'LATENCY  p50 -   p99 -   of 0 binds' "$(cat "$tmp/text")"
who_has 10.66.4.2
who_has 10.66.4.3
ctl top >"$tmp/text"
check_match "then there is" 'LATENCY  p50 [0-9.]+ us   p99 [0-9.]+ us   of 2 binds' "$(cat "$tmp/text")"
check_eq "the newest lease comes first" '10.66.4.3 10.66.4.2' "$(sed '1,/^NEWEST/d' "$tmp/text" | awk '{ print $2 }' | xargs)"
ctl --json top >"$tmp/json"
check_eq "as JSON: its keys" 'status rates latency newest' "$(jq -r 'keys_unsorted | join(" ")' "$tmp/json")"
check_eq "as JSON: of the rates, all numbers" 'binds_per_s number releases_per_s number refused_per_s number' \
	"$(jq -r '[.rates | to_entries[] | .key, (.value | type)] | join(" ")' "$tmp/json")"
check_eq "as JSON: the same facts" '2 2 10.66.4.3 10.66.4.2' \
	"$(jq -r '[.status.leases, .latency.binds, .newest[].address] | join(" ")' "$tmp/json")"
check_eq "one line" 1 "$(wc -l <"$tmp/json")"
(for i in {1..15}; do echo && sleep 0.1; done | while read -r; do # other requests meanwhile
	ctl release 10.66.4.3 >/dev/null 2>&1 || true
	who_has 10.66.4.3 || true
done) &
check "rates are those of the last second" jq -en \
	"$(ctl --json top | jq .rates) | .binds_per_s > 0 and .releases_per_s > 0"
wait $!

# Live
on_terminal xterm "$TOP"
check "live: it draws the pool" wait_until 10 is_drawn 'POOL  4 of 4, warm 4'
check "live: and the leases that are there" is_drawn '10\.66\.4\.2'
who_has 10.66.4.77
check "live: a new lease is shown as it comes" wait_until 5 is_drawn '10\.66\.4\.77'
echo x >&"$keys"
check_status "live: another key does not end it" 1 wait_until 2 has_ended
printf q >&"$keys"
ends "q" 0

# Other sizes; the bar is drawn in one piece on a terminal that cannot repeat characters.
for i in 2 3 77; do
	ctl release "10.66.4.$i" >"$tmp/output"
done
wait_until 20 pool_has idle 4
on_terminal vt100 "$TOP"
check "80 columns: a bar of 37" wait_until 10 is_drawn '\[={37}\]'
stty -F "$(cat "$tmp/tty")" rows 40 cols 120
sleep 0.2
printf '\f' >&"$keys"
check "120 columns: a bar of 77" wait_until 5 is_drawn '\[={77}\]'
stty -F "$(cat "$tmp/tty")" rows 5 cols 20
check_status "5 lines of 20: it goes on" 1 wait_until 2 has_ended
stty -F "$(cat "$tmp/tty")" rows 24 cols 80
: >"$tmp/screen"
printf '\f' >&"$keys"
check "80 columns again" wait_until 5 is_drawn '\[={37}\]'
printf q >&"$keys"
check "it ends" wait_until 10 has_ended
check_eq "with the terminal as it was" "0 $(cat "$tmp/before")" "$(cat "$tmp/status") $(cat "$tmp/after")"
exec {keys}>&-

# Signals
on_terminal xterm "$TOP"
check "it draws" wait_until 10 is_drawn 'POOL  4 of 4'
printf '\003' >&"$keys"
ends "control-C" 130
on_terminal xterm "$TOP & echo \$! >$tmp/pid; wait \$!"
check "it draws" wait_until 10 is_drawn 'POOL  4 of 4'
wait_until 5 test -s "$tmp/pid"
kill -TERM "$(cat "$tmp/pid")"
ends "SIGTERM" 143

# Where it cannot draw
for term in dumb nonsense; do
	on_terminal "$term" "$TOP"
	check "TERM=$term: it ends" wait_until 10 has_ended
	check_eq "TERM=$term: with status 1, and the terminal as it was" "1 $(cat "$tmp/before")" \
		"$(cat "$tmp/status") $(cat "$tmp/after")"
	check "TERM=$term: it says why, and what to do" is_drawn "TERM is \"$term\", .* use 'skepctl --json top'"
	exec {keys}>&-
done

# skepd ends
on_terminal xterm "$TOP"
check "it draws" wait_until 10 is_drawn 'POOL  4 of 4'
check "skepd stops" skepd_stop
ends "skepd has gone" 1
check "it says so" is_drawn 'skepctl: skepd went away'
check_status "without skepd: status 3" 3 ctl top
check_match "and why" '^skepctl: no skepd at ' "$(cat "$tmp/output")"

done_testing
