#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# skepctl: the keys of its JSON are those documented, people get aligned tables with the same facts,
# `watch` tells of binds and releases as they happen, and the exit status says what went wrong.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=4 IDLE_TIMEOUT=30

keys() { jq -r "$1 | keys_unsorted | join(\" \")"; }

# aligned TEXT HEADINGS TABLE: the table has these headings, and its cells stand under them. Columns of characters that are blank in all lines, two or more side by side, separate those of a table.
aligned() {
	local columns
	columns=$(awk '
		{ line[NR] = $0; if (length($0) > wide) wide = length($0) }
		END {
			gap = 2
			for (i = 1; i <= wide; i++) {
				blank = 1
				for (j = 1; j <= NR; j++)
					if (substr(line[j] " ", i, 1) !~ /^ ?$/) blank = 0
				if (!blank && gap >= 2) columns++
				gap = blank ? gap + 1 : 0
			}
			print columns + 0
		}' <<<"$3")
	check_eq "$1: the headings" "$2" "$(head -n 1 <<<"$3" | sed 's/^ *//; s/ *$//; s/   */|/g')"
	check_eq "$1: as many columns as headings, in all lines" "$(tr '|' '\n' <<<"$2" | wc -l)" "$columns"
	check_eq "$1: no blanks at the end of a line" 0 "$(grep -c ' $' <<<"$3" || true)"
}

# gone TEXT STATUS ARGUMENTS...: what it says of an error goes to standard error only
gone() {
	local text=$1 want=$2 status=0
	shift 2
	"$SKEPCTL" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	check_eq "$text: status $want" "$want" "$status"
	check_eq "$text: nothing on standard output" '' "$(cat "$tmp/out")"
	check_match "$text: a line on standard error" '^skepctl: ' "$(cat "$tmp/err")"
}

lab_up
skepd_start
spawn box "$SKEPCTL" -s "$socket" --json watch >"$tmp/watch" 2>"$tmp/watch.err"
watcher=$spawned
spawn box "$SKEPCTL" -s "$socket" watch >"$tmp/watch.text" 2>&1
wait_until 5 is_watched 2

# JSON, empty and not
check_eq "leases: the key, without leases" '{"leases":[]}' "$(ctl --json leases)"
check "an address is bound" client ping -q -c 2 -i 0.1 -W 5 10.66.4.2
router ping -q -c 1 -W 5 10.66.4.123 >"$tmp/output"
check "another one, too" who_has 10.66.4.123
check_eq "both are counted" 2 "$(comes_to bound 2)"
check_eq "status: its keys" 'state panic dry_run uptime_s bind leases unsettled pool templates uplinks budgets refused reflections verification' "$(ctl --json status | keys .)"
check_eq "status: of the pool" 'idle bound starting recycling failed warm max' "$(ctl --json status | keys .pool)"
check_eq "status: of each uplink" 'name xdp gateway' "$(ctl --json status | keys '.uplinks[]')"
check_eq "status: of each template" 'name state idle bound starting recycling failed' \
	"$(ctl --json status | keys '.templates[]')"
check_eq "status: what is known of it" 'basic on 2 2' \
	"$(ctl --json status | jq -r '.templates[] | "\(.name) \(.state) \(.idle) \(.bound)"')"
check_eq "status: of the budgets" 'binds_per_second binds_per_requester' "$(ctl --json status | keys .budgets)"
check_eq "status: what is refused are verdicts, and nothing is" '[] 0' \
	"$(jq -rn --argjson refused "$(ctl --json status | jq .refused)" --argjson counters "$(ctl --json counters)" \
		'"\(($refused | keys) - ($counters.counters | keys)) \([$refused[]] | add)"')"
check_eq "status: what is known" "running $BIND 2 0 2 2 4 eth0 native 10.66.0.1" \
	"$(ctl --json status | jq -r '[.state, .bind, .leases, .unsettled, .pool.bound, .pool.warm, .pool.max, .uplinks[].name,
		.uplinks[].xdp, .uplinks[].gateway] | join(" ")')"
check_eq "leases: the keys of each" \
	'address uplink vlan mac container pid state bound_at bind_us settle_us last_seen packets_in packets_out' \
	"$(ctl --json leases | keys '.leases[]' | sort -u)"
settle_type=$([[ $BIND == kernel ]] && echo number || echo null) # skepd has nothing to settle
check_eq "leases: their types" \
	"string string number string string number string string number $settle_type string number number" \
	"$(ctl --json leases | jq -r '.leases[] | map(type) | join(" ")' | sort -u)"
check_eq "leases: their state" settled "$(ctl --json leases | jq -r '.leases[].state' | sort -u)"
check_match "leases: a moment in time is a date that date(1) reads" '^[0-9]{4}-..-..T..:..:..\.[0-9]{6}Z [0-9]+$' \
	"$(lease 10.66.4.2 bound_at) $(date -d "$(lease 10.66.4.2 bound_at)" +%s)"
check "leases: last_seen is no earlier than bound_at" test \
	"$(date -d "$(lease 10.66.4.2 last_seen)" +%s%N)" -ge "$(date -d "$(lease 10.66.4.2 bound_at)" +%s%N)"
check_eq "counters: the key" counters "$(ctl --json counters | keys .)"
check_eq "counters: every verdict there is, and no other" \
	"$(sed -n 's/^\tX([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$ROOT/include/skep/verdict.h")" \
	"$(ctl --json counters | jq -r '.counters | keys_unsorted[]')"
check_eq "counters: all are numbers" number "$(ctl --json counters | jq -r '.counters[] | type' | sort -u)"
check_eq "containers: the keys of each" 'container state template pid port address uplink leases reason since' \
	"$(ctl --json containers | keys '.containers[]' | sort -u)"
check_eq "containers: there are as many as the status says" "$(ctl --json status | jq '.pool.idle + .pool.bound')" \
	"$(ctl --json containers | jq '[.containers[] | select(.state == "idle" or .state == "bound")] | length')"
check_eq "containers: one address each, if bound, and no reasons" 'bound 1 null idle 0 null' \
	"$(ctl --json containers | jq -r '.containers[] | "\(.state) \(.leases) \(.reason)"' | sort -u | xargs)"
check_eq "latency: its keys" 'binds p50_us p99_us buckets' "$(ctl --json latency | keys .)"
check_eq "latency: of each bucket" 'up_to_us count' "$(ctl --json latency | keys '.buckets[]' | sort -u)"
check_eq "latency: every bind is in a bucket" '2 2' \
	"$(ctl --json latency | jq -r '"\(.binds) \([.buckets[].count] | add)"')"
# shellcheck disable=SC2016 # the variables are jq's
check "latency: the buckets hold the binds that there were" jq -en --argjson leases "$(ctl --json leases)" \
	--argjson latency "$(ctl --json latency)" '
	def within($us): [$latency.buckets[] | select(.up_to_us > $us)][0];
	all($leases.leases[]; [within(.bind_us, .bind_us + 0.1).count] | add > 0) and # cut to a tenth
	$latency.p50_us <= $latency.p99_us and ($latency.p99_us | within(. - 0.1).count) > 0'
for command in status leases containers counters latency; do
	check_eq "$command: one line of JSON" 1 "$(ctl --json "$command" | wc -l)"
	check_eq "$command: --json may come last" "$(ctl --json "$command" | jq -r 'keys[0]')" \
		"$("$SKEPCTL" "$command" --socket "$socket" --json | jq -r 'keys[0]')"
done

# Tables
aligned leases 'ADDRESS|UPLINK|VLAN|MAC|CONTAINER|PID|STATE|BIND|SETTLE|IN|OUT|BOUND AT|LAST SEEN' "$(ctl leases)"
aligned containers 'CONTAINER|STATE|TEMPLATE|PID|ADDRESS|UPLINK|LEASES|SINCE|REASON' "$(ctl containers)"
aligned counters 'VERDICT|COUNT' "$(ctl counters)"
aligned "status, the pool" 'IDLE|BOUND|STARTING|RECYCLING|FAILED|WARM|MAX' \
	"$(ctl status | sed -n '/^ *IDLE/,/^$/p' | sed '/^$/d')"
aligned "status, the templates" 'TEMPLATE|STATE|IDLE|BOUND|STARTING|RECYCLING|FAILED' \
	"$(ctl status | sed -n '/TEMPLATE/,/^$/p' | sed '/^$/d')"
aligned "status, the uplinks" 'UPLINK|XDP|GATEWAY' "$(ctl status | sed -n '/UPLINK/,/^$/p' | sed '/^$/d')"
aligned latency 'UP TO|BINDS' "$(ctl latency | sed '1,/^$/d')"
check_match "status: the budgets" $'\nbudget  2000 binds/s in all\nbudget  1000 binds/s for each requester$' "$(ctl status)"
check_eq "leases: the same facts as in JSON" "$(ctl --json leases | jq -r '.leases[] | "\(.address) \(.mac) \(.pid)"')" \
	"$(ctl leases | awk 'NR > 1 { print $1, $4, $6 }')"
check_match "leases: times have units" ' [0-9]+\.[0-9] us ' "$(ctl leases)"
check_eq "counters: the same facts as in JSON" "$(counter bound)" "$(ctl counters | awk '$1 == "bound" { print $2 }')"

# watch
mac=$(lease 10.66.4.2 mac) pid=$(lease 10.66.4.2 pid) container=$(lease 10.66.4.2 container)
ctl release 10.66.4.2 >"$tmp/output"
events() { (($(wc -l <"$tmp/$1") >= $2)); }
check "watch: two binds and a release have come" wait_until 5 events watch 3
check_eq "watch: what, which, who asked, and why" \
	"$(printf '%s\n' 'bind 10.66.4.2 eth0 10.66.0.1' 'bind 10.66.4.123 eth0 10.66.0.1' 'release 10.66.4.2 eth0 command')" \
	"$(jq -r '[.event, .address, .uplink, .requester // .reason] | join(" ")' "$tmp/watch")"
check_eq "watch: of a bind and of its release, the same" "$mac $pid $container" \
	"$(jq -r 'select(.address == "10.66.4.2") | "\(.mac) \(.pid) \(.container)"' "$tmp/watch" | sort -u)"
check_eq "watch: the keys of a bind" 'event at address uplink vlan mac container pid bound_at requester seen_at bind_us settle_us shared' \
	"$(head -n 1 "$tmp/watch" | keys .)"
check_eq "watch: the keys of a release" \
	'event at address uplink vlan mac container pid bound_at reason packets_in packets_out' \
	"$(sed -n 3p "$tmp/watch" | keys .)"
check_eq "watch: binds are not shared" false "$(jq -r 'select(.event == "bind").shared' "$tmp/watch" | sort -u)"
check "watch: a release says how many packets there were" \
	jq -es '.[2].packets_in >= 2 and .[2].packets_out >= 2' "$tmp/watch"
check "watch: people are told the same" wait_until 5 events watch.text 3
check_eq "watch: a line each" "$(printf '%s\n' 'bind 10.66.4.2' 'bind 10.66.4.123' 'release 10.66.4.2')" \
	"$(awk '{ print $2, $3 }' "$tmp/watch.text")"

# Exit status
check_eq "release says what it released, in full" '10.66.4.123%eth0.0 released' "$(ctl release 10.66.4.123%eth0.0)"
gone "a release of no lease" 1 -s "$socket" release 10.66.9.9
gone "no command" 2 -s "$socket"
gone "an unknown command" 2 -s "$socket" reboot
gone "an argument too many" 2 -s "$socket" leases all
gone "an argument too few" 2 -s "$socket" release
gone "a drain in part" 2 -s "$socket" drain half
gone "a pool without an order" 2 -s "$socket" pool
gone "an unknown order to the pool" 2 -s "$socket" pool empty 1 2
gone "a resize to what is no number" 2 -s "$socket" pool resize 1 0x10
gone "a resize to more warm ones than there may be" 2 -s "$socket" pool resize 3 2
gone "no skepd" 3 -s "$tmp/nobody" status
gone "no skepd to watch" 3 -s "$tmp/nobody" watch
gone "no skepd to look at" 3 -s "$tmp/nobody" top
gone "no skepd to steer" 3 -s "$tmp/nobody" reload
gone "no skepd to release from" 3 -s "$tmp/nobody" release 10.66.4.2
check_status "an unknown option: status 2" 2 "$SKEPCTL" --reboot
check "--help is no error" "$SKEPCTL" --help
check_match "--version says which" '^skepctl [0-9]' "$("$SKEPCTL" --version)"
check "skepd stops" skepd_stop
status=0
wait "$watcher" || status=$?
check_eq "watch ends with status 1 when skepd does" 1 "$status"
check_eq "and says so" 'skepctl: skepd went away' "$(cat "$tmp/watch.err")"
gone "a skepd that was there" 3 -s "$socket" leases

done_testing
