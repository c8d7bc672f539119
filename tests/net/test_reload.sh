#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A new configuration while skepd runs, by skepctl and by SIGHUP: ranges, exclusions, limits and
# templates come and go, leases that are still covered notice nothing, and others are released. A file
# that is wrong, does not fit the machine or changes what must stay changes nothing, and says why.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/telnet.sh"

WARM=3 MAX=16
LAB_RANGE=10.66.0.0/18
readonly FURTHER='uplink: range "10.66.64.0/18" { template = "basic" verify = "off" }'
readonly THIRD='uplink: range "10.66.128.0/18" { template = "basic" verify = "off" }'
readonly SECOND='template "second" { rootfs = "'$tmp/second'" init = "/sbin/init" memory = "64M" processes = 128 }'
readonly MARKED='uplink: range "10.66.192.0/18" { template = "second" verify = "off" }'

rewrite() { write_conf "$@" >"$conf"; }

# hang_up REGEX: skepd is told to read its file again, and then logs this
hang_up() {
	local before
	before=$(wc -l <"$log")
	kill -HUP "$skepd_pid"
	wait_until 10 logged_after "$before" "$1"
}
logged_after() { tail -n "+$(($1 + 1))" "$log" | grep -Eq -- "$2"; } # LINES REGEX

reason() { jq -r --arg address "$1" 'select(.event == "release" and .address == $address).reason' "$tmp/watch"; }
is_released() { [[ $(reason "$1") == "$2" ]]; }

# The session stays open over all of the test.
open_session() {
	coproc session { client telnet "$1" 2>&1; }
	exec {from}<&"${session[0]}" {to}>&"${session[1]}"
	read_to 'login: '
	echo root >&"$to"
	read_to 'Password: '
	echo admin >&"$to"
	read_to '# '
}
# The command must not have in it what is waited for, since it is echoed.
session_lives() {
	echo "echo still-\$((40 + 2))-here" >&"$to"
	read_to 'still-42-here'
}

unmoved() {
	check_eq "$1: the lease is of the same container" "$pid" "$(lease 10.66.4.2 pid)"
	check "$1: the session inside goes on" session_lives
}

# process_limit PID: of its container, in either kind of hierarchy
process_limit() {
	local path
	path=$(sed -n 's/^[0-9]*:[^:]*\bpids\b[^:]*://p' "/proc/$1/cgroup")
	if [[ -n $path ]]; then
		cat "/sys/fs/cgroup/pids$path/pids.max"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/pids.max"
	fi
}
limits() { containers idle pid | while read -r p; do process_limit "$p"; done | sort -u; }

all_fresh() { [[ $(pool idle) == "$WARM" && -z $(comm -12 <(sort "$tmp/old") <(containers idle pid | sort)) ]]; }

lab_up
rewrite # so that the template is there to be copied from
cp -a "$SKEP_TEMPLATE" "$tmp/second"
touch "$tmp/second/etc/second-template"
skepd_start "$THIRD"
spawn box "$SKEPCTL" -s "$socket" --json watch >"$tmp/watch"
wait_until 5 is_watched

who_has 10.66.4.2
who_has 10.66.5.9
who_has 10.66.128.5
pid=$(lease 10.66.4.2 pid)
open_session 10.66.4.2 >"$tmp/session"
check "a session in the container is open" session_lives
spawn client ping -q -i 0.05 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned

# A range that comes
check_status "an address of no range is dark" 1 who_has 10.66.64.9
rewrite "$THIRD" "$FURTHER"
profile=$(stat -c '%i %y' "$run_dir/seccomp")
check_eq "reload says that it is done" reloaded "$(ctl reload)"
check_eq "containers that start meanwhile find their profile as it was" "$profile" "$(stat -c '%i %y' "$run_dir/seccomp")"
check "it is logged" wait_until 5 logged "reloaded $conf"
check "an address of the added range is answered" who_has 10.66.64.9
check "so is one of the old range" who_has 10.66.4.3
unmoved "a range added"
check_eq "nothing was released" 0 "$(counter released_range)"

# An exclusion that comes, by SIGHUP, on a lease
EXCLUDE='10.66.0.0/24", "10.66.5.0/24'
rewrite "$THIRD" "$FURTHER"
check "SIGHUP does the same" hang_up "reloaded $conf"
check "the lease that is excluded now is released, with the reason" wait_until 5 is_released 10.66.5.9 range
check_eq "it alone" 1 "$(counter released_range)"
check_status "its address stays dark" 1 who_has 10.66.5.9
unmoved "an exclusion added"
EXCLUDE=$LAB_EXCLUDE
rewrite "$THIRD" "$FURTHER"
check "the exclusion goes" ctl reload
check "the address is answered again" who_has 10.66.5.9

# A range that goes
third=$(lease 10.66.128.5 pid)
rewrite "$FURTHER"
check "a range goes" ctl reload
check "its lease is released, with the reason" wait_until 5 is_released 10.66.128.5 range
check_eq "it alone" 2 "$(counter released_range)"
check "its container is recycled" wait_until 10 is_gone "$third"
check_status "its addresses are dark" 1 who_has 10.66.128.5
check_eq "the other leases are there" '10.66.4.2 10.66.4.3 10.66.5.9 10.66.64.9' "$(leased | xargs)"
unmoved "a range gone"

# Limits and targets: of the containers from now on
check "the pool is warm" wait_until 10 pool_has idle "$WARM"
containers idle pid >"$tmp/old"
before=$(limits) # the driver may add processes of its own
check_match "there is one limit of processes so far" '^[0-9]+$' "$before"
WARM=4
rewrite "$FURTHER" 'pool: binds_per_second = 777' 'pool: binds_per_requester = 55'
sed -i 's/processes = 128/processes = 99/' "$conf"
check_eq "other limits and targets, with --json" '{"result":"reloaded"}' "$(ctl --json reload)"
check "more containers are kept warm" wait_until 10 pool_has idle 4
check_eq "status says what holds now" '4 16 777 55' \
	"$(ctl --json status | jq -r '"\(.pool.warm) \(.pool.max) \(.budgets.binds_per_second) \(.budgets.binds_per_requester)"')"
for i in 1 2 3 4; do
	who_has "10.66.6.$i"
done
check "the containers from before are used up" wait_until 10 all_fresh
check_eq "the new ones have the new limit" $((before - 128 + 99)) "$(limits)"
unmoved "limits changed"
for i in 1 2 3 4; do
	ctl release "10.66.6.$i" >"$tmp/output"
done

# A template that comes, with its range, and goes
rewrite "$SECOND" "$FURTHER" "$MARKED"
check "a second template, and a range of it" ctl reload
template() { ctl --json status | jq -r --arg name "$1" --arg key "$2" '.templates[] | select(.name == $name)[$key]'; }
template_has() { [[ $(template "$1" "$2") == "$3" ]]; }
check_eq "status knows both" 'basic on second on' "$(ctl --json status | jq -r '.templates[] | "\(.name) \(.state)"' | xargs)"
check "it is kept warm, too" wait_until 20 template_has second idle "$WARM"
check "an address of its range is answered" who_has 10.66.192.2
check "by a container of its own root file system" in_container "$(lease 10.66.192.2 pid)" test -e /etc/second-template
check "an address of another range still by the first" who_has 10.66.4.4
check_status "and its root file system" 1 in_container "$(lease 10.66.4.4 pid)" test -e /etc/second-template
unmoved "a template added"
second=$(lease 10.66.192.2 pid)
rewrite "$FURTHER"
check "the template goes with its range" ctl reload
check "its lease is released, with the reason" wait_until 5 is_released 10.66.192.2 range
check "its bound container is recycled" wait_until 10 is_gone "$second"
check "its idle ones, too: status knows it no more" wait_until 20 template_has second name ''
check "the other template is warm" wait_until 20 template_has basic idle "$WARM"
rewrite "$SECOND" "$FURTHER" "$MARKED"
check "it comes back" ctl reload
check "and is warm again" wait_until 20 template_has second idle "$WARM"
check "an address of its range is answered" who_has 10.66.192.3
check "from its own root file system" in_container "$(lease 10.66.192.3 pid)" test -e /etc/second-template
unmoved "a template gone and come back"

# refused TEXT SED_SCRIPT REGEX: the file, edited so, is refused by both ways with the same words
cp "$conf" "$tmp/good.conf"
refused() {
	local before status=0
	before=$(ctl --json status | jq -c '[.pool.warm, .pool.max, .templates[].name, .budgets]')
	sed "$2" "$tmp/good.conf" >"$conf"
	ctl reload >"$tmp/out" 2>"$tmp/err" || status=$?
	check_eq "$1: status 1, a line on standard error and none elsewhere" '1 1 0' \
		"$status $(wc -l <"$tmp/err") $(wc -l <"$tmp/out")"
	check_match "$1: why" "^skepctl: $conf:$3" "$(cat "$tmp/err")"
	check "$1: by SIGHUP the log says the same" hang_up "nothing has changed by the reload: $conf:$3"
	check_eq "$1: nothing has changed" "$before" \
		"$(ctl --json status | jq -c '[.pool.warm, .pool.max, .templates[].name, .budgets]')"
}
line() { grep -n -m 1 -- "$1" "$tmp/good.conf" | cut -d: -f1; }
leases=$(leased)
refused "an unknown key" 's/warm = /warmth = /' "$(line 'warm = '): .*warmth"
refused "a brace too few" "\$s/}//" '[0-9]+: .*brace'
refused "warm over max" 's/max = .*/max = 1/' "$(line 'max = '): max 1 leaves no room"
refused "a template that is not there" "s|\"$tmp/second\"|\"/nowhere\"|" "$(line 'template "second"'): .*/nowhere"
refused "another group" 's/^run_dir/group = "mail"\nrun_dir/' '.*group'
refused "another state_dir" "s|^state_dir.*|state_dir = \"$tmp/other\"|" '.*state_dir'
refused "other users" 's/^run_dir/id_base = 2000000\nrun_dir/' '.*id_base'
refused "another uplink" "s/uplink \"$LAB_UPLINK\"/uplink \"lo\"/" '.*uplink'
refused "a NUL byte" '1s/^/\x00/' '.*NUL byte'
rm "$conf"
check_status "no file: status 1" 1 ctl reload
check_match "no file: why" "$conf: No such file" "$(cat "$tmp/output")"
check_eq "all leases are as they were" "$leases" "$(leased)"
check_eq "a directory of a refused file is not made" '' "$(find "$tmp/other" 2>/dev/null || true)"
check "an address of the running configuration is answered" who_has 10.66.64.77
unmoved "files refused"

# Many at once: one after the other, or told to try again; none is lost in between.
cp "$tmp/good.conf" "$conf"
for i in {1..20}; do
	ctl --json reload >"$tmp/answer.$i" 2>&1 &
	kill -HUP "$skepd_pid"
	pids[i]=$!
done
for i in {1..20}; do
	wait "${pids[i]}" || true
done
check_eq "20 reloads at once are done or told why not" '' \
	"$(cat "$tmp"/answer.* | grep -vxE '\{"result":"reloaded"\}|skepctl: another reload is going on; try again' || true)"
check "at least one is done" grep -qx '{"result":"reloaded"}' "$tmp"/answer.*
check "and the next one, too" wait_until 10 ctl reload
check "an address is answered" who_has 10.66.64.78
unmoved "many reloads"

kill -INT "$pings"
wait "$pings" || true
check_match "of the pings all that time not one was lost" ' 0% packet loss' "$(cat "$tmp/pings")"
check_eq "nothing died or failed meanwhile" '0 0 0 0' \
	"$(counter keeper_died) $(counter container_died) $(counter start_failed) $(counter recycle_failed)"
echo exit >&"$to"
exec {from}<&- {to}>&-

done_testing
