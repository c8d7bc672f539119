# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# lib.sh: what the net tests share. It owns TAP output, the lab and the skepd of one test, one
# temporary directory, and their removal however the test ends. It knows nothing of what a test
# looks for, and it never touches a lab, a skepd or a container that is not this test's.
#
#	. "$(dirname "$0")/lib.sh"
#	lab_up
#	skepd_start 'range: idle_timeout = 2'
#	check "a page comes from a dark address" client curl -sf -m 5 http://10.66.4.2/
#	check_eq "one bind" 1 "$(counter bound)"
#	done_testing
#
# From outside: SKEP_TEMPLATE (a built root file system, absolute), BUILD, LAB_PREFIX, and BIND: who
# binds, kernel or daemon. A test of what only one of them does sets that itself.
# A test may set WARM, MAX, EXCLUDE, IDLE_TIMEOUT, VERIFY (on or off), START_TIMEOUT and STOP_TIMEOUT
# (seconds) before skepd_start.
set -Eeuo pipefail
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C

ROOT=$(realpath "${BASH_SOURCE[0]%/*}/../..")
BUILD=$(realpath -m "${BUILD:-$ROOT/build}")
SKEPD=$BUILD/skepd
SKEPCTL=$BUILD/skepctl
LAB=$ROOT/tests/lab
export LAB_PREFIX=${LAB_PREFIX:-t$$} # a lab of its own: a demo may be running
eval "$("$LAB" env)"

BIND=${BIND:-kernel}
WARM=${WARM:-4} MAX=${MAX:-16} EXCLUDE=${EXCLUDE:-$LAB_EXCLUDE} IDLE_TIMEOUT=${IDLE_TIMEOUT:-600} VERIFY=${VERIFY:-off} START_TIMEOUT=${START_TIMEOUT:-30} STOP_TIMEOUT=${STOP_TIMEOUT:-30}

test_count=0 failed_count=0 ran_to_end=0 bailed_out=0 died_at=''
lab=none spawned='' skepd_pid='' log_shown=0

# --- TAP ---

diag() { printf '# %s\n' "${*//$'\n'/$'\n# '}"; }

bail() {
	echo "Bail out! $*"
	bailed_out=1
	exit 1
}

pass() { echo "ok $((++test_count)) - $1"; }

# fail TEXT [DIAGNOSTIC]
fail() {
	echo "not ok $((++test_count)) - $1"
	((++failed_count))
	[[ -z ${2:-} ]] || diag "$2"
	show_log
}

# check TEXT COMMAND...: the command succeeds
check() { check_status "$1" 0 "${@:2}"; }

# check_status TEXT STATUS COMMAND...: the command exits with just this status
check_status() {
	local text=$1 want=$2 got=0
	shift 2
	"$@" >"$tmp/output" 2>&1 || got=$?
	if ((got == want)); then
		pass "$text"
	else
		fail "$text" "command:  $*
expected: exit status $want
seen:     exit status $got$(tail -n 50 "$tmp/output" | sed $'1s/^/, and this output:\\\n/')"
	fi
}

# check_eq TEXT EXPECTED SEEN
check_eq() {
	if [[ $2 == "$3" ]]; then
		pass "$1"
	else
		fail "$1" "expected: '$2'
seen:     '$3'"
	fi
}

# check_match TEXT REGEX SEEN: an extended regular expression matches somewhere in SEEN
check_match() {
	if [[ $3 =~ $2 ]]; then
		pass "$1"
	else
		fail "$1" "expected: a match of /$2/
seen:     '$3'"
	fi
}

# The last line of every test: without it, the test counts as broken off.
done_testing() { ran_to_end=1; }

# --- waiting ---

# wait_until SECONDS COMMAND...: polls every 20 ms, after a second every 100; fails if the command never
# succeeded within that many (whole) seconds
wait_until() {
	local begun=${EPOCHREALTIME/./} seconds=$1 passed
	shift
	until "$@" >/dev/null 2>&1; do
		passed=$((${EPOCHREALTIME/./} - begun))
		((passed < seconds * 1000000)) || return 1
		if ((passed < 1000000)); then sleep 0.02; else sleep 0.1; fi
	done
}

# --- the lab ---

lab_up() {
	"$LAB" up | sed 's/^/# /'
	lab=up
}

lab_down() {
	[[ $lab == up ]] || return 0
	"$LAB" down
	lab=down
}

# spawn ROLE COMMAND...: in the background, and $spawned is its process; it is ended with the test.
# `client COMMAND &` would leave only the process of a subshell to signal.
spawn() {
	"$LAB" exec "$@" &
	# shellcheck disable=SC2034 # for the test to use
	spawned=$!
}

client() { "$LAB" exec client "$@"; }
router() { "$LAB" exec router "$@"; }
box() { "$LAB" exec box "$@"; }

# --- skepd ---

# extras SECTION LINE...: the lines meant for a section; a line without one is for the top level
extras() {
	local section=$1 line
	shift
	for line; do
		case $line in
		"$section: "*) printf '%s\n' "${line#"$section: "}" ;;
		pool:\ * | template:\ * | uplink:\ * | range:\ *) ;;
		*) [[ $section != top ]] || printf '%s\n' "$line" ;;
		esac
	done
}

# No key may be given twice: an extra line adds to these, and never replaces one.
write_conf() {
	cat <<-EOT
		state_dir = "$state_dir"
		run_dir = "$run_dir"
		bpf_dir = "$bpf_dir"
		$(extras top "$@")
		pool {
			warm = $WARM
			max = $MAX
			bind = "$BIND"
			$(extras pool "$@")
		}
		template "basic" {
			rootfs = "$SKEP_TEMPLATE"
			init = "/sbin/init"
			memory = "64M"
			processes = 128
			$(extras template "$@")
		}
		uplink "$LAB_UPLINK" {
			gateway = "$LAB_GATEWAY"
			$(extras uplink "$@")
			range "$LAB_RANGE" {
				template = "basic"
				exclude = { "$EXCLUDE" }
				idle_timeout = $IDLE_TIMEOUT
				verify = "$VERIFY"
				$(extras range "$@")
			}
		}
	EOT
}

ctl() { "$SKEPCTL" -s "$socket" "$@"; }

# counter NAME: fails if there is no such counter
counter() { ctl --json counters | jq -e --arg name "$1" '.counters[$name]'; }

# counted NAME NUMBER: the counter has come to it
counted() { (($(counter "$1") >= $2)); }

# comes_to NAME NUMBER: where the counter is when it has come to that, or will not within 5 s. What the
# uplink program has bound, skepd counts a moment later.
comes_to() {
	wait_until 5 counted "$1" "$2" || true
	counter "$1"
}

# contacts arp|ip: frames that asked for a dark address, whoever was to bind it
contacts() { ctl --json counters | jq --arg by "$1" '.counters | .["ask_" + $by] + .["bound_" + $by]'; }

# pool KEY: one number of the pool's status; pool_has KEY NUMBER: it is just that
pool() { ctl --json status | jq -e --arg key "$1" '.pool[$key]'; }
pool_has() { (($(pool "$1") == $2)); }

# is_watched [N]: so many are connected from the box, as `skepctl watch` stays, beside who listens
is_watched() { (($(box ss -Hxa src "$socket" | wc -l) > ${1:-1})); }

# lease ADDRESS KEY: what skepctl says of a lease; nothing if there is none
lease() {
	ctl --json leases | jq -r --arg address "$1" --arg key "$2" \
		'.leases[] | select(.address == $address)[$key]'
}

is_dark() { [[ -z $(lease "$1" pid) ]]; }

# lease_state ADDRESS: 1 claimed, 2 settling, 3 settled, as the map says; nothing if it is dark
lease_state() {
	local value
	# shellcheck disable=SC2086 # an octet each
	value=$(bpftool map lookup pinned "$bpf_dir/leases" key ${1//./ } 0 0 0 0 2>/dev/null) || return 0
	[[ ! $value =~ \"state\":\ ([0-9]) ]] || echo "${BASH_REMATCH[1]}"
}
is_settled() { [[ $(lease_state "$1") == 3 ]]; }
is_claimed() { [[ $(lease_state "$1") == 1 ]]; }
leased() { ctl --json leases | jq -r '.leases[].address' | sort -V; }

# containers STATE KEY: of each container in this state, one a line
containers() {
	ctl --json containers | jq -r --arg state "$1" --arg key "$2" \
		'.containers[] | select(.state == $state)[$key]'
}

is_gone() { [[ ! -e /proc/$1 ]]; } # PID

# in_net PID COMMAND...: the host's command in a container's network; in_container: all the way inside
in_net() { nsenter --target "$1" --net -- "${@:2}"; }
in_container() { nsenter --target "$1" --all -- "${@:2}"; }

# keepers: the processes of skepd that start and remove containers
keepers() { pgrep --parent "$skepd_pid" --exact skepd-keeper; }
signal_keepers() { keepers | xargs kill -s "$1"; }

# ports: the host ends of the containers' veth pairs, one a line
ports() { box ip -br link show type veth | sed "s/[@ ].*//; /^$LAB_UPLINK\$/d"; }

# logged REGEX: skepd has said so since the test began
logged() { grep -Eq -- "$1" "$log"; }

# is_answered ADDRESS: the router asks once, and an answer comes
is_answered() { router arping -q -c 1 -C 1 -w 1 -I "$LAB_LAN" "$1"; }

# who_has ADDRESS: the same, and skepd has settled it, which it may do after the answer
who_has() { is_answered "$1" && { skepd_stands_still || wait_until 5 is_done "$1"; }; }
is_done() { [[ $(lease_state "$1") != [12] ]] || skepd_gone; }
skepd_stands_still() { skepd_gone || grep -q '^State:[[:space:]]*T' "/proc/$skepd_pid/status"; }

mac_in_answer() { router arping -r -c 1 -C 1 -w 1 -I "$LAB_LAN" "$1" | head -n 1; }

skepd_alive() { [[ -n $skepd_pid ]] && kill -0 "$skepd_pid" 2>/dev/null; }
skepd_gone() { ! skepd_alive; }

skepd_running() {
	timeout 2 "$SKEPCTL" -s "$socket" --json status | jq -e '.state == "running"' >/dev/null
}

skepd_settled() { skepd_gone || skepd_running; }

# skepd_launch [LINE...]: writes the configuration and starts skepd, without waiting for it
# shellcheck disable=SC2119,SC2120
skepd_launch() {
	skepd_gone || bail "this test's skepd is running already"
	[[ -x $SKEPD && -x $SKEPCTL ]] || bail "no skepd and skepctl in $BUILD: run 'make' first"
	[[ -d ${SKEP_TEMPLATE:-} ]] || bail "SKEP_TEMPLATE must name a built root file system"
	write_conf "$@" >"$conf"
	"$LAB" exec box "$SKEPD" -c "$conf" >>"$log" 2>&1 &
	skepd_pid=$!
}

# skepd_start [LINE...]: the same, and waits until the pool is warm. A LINE is added to the top level
# of the configuration, or to a section: 'pool: LINE', 'template: LINE', 'uplink: LINE', 'range: LINE'.
# Fails with skepd's own exit status where it has ended instead.
# shellcheck disable=SC2119,SC2120 # the lines are optional
skepd_start() {
	local status=0
	skepd_launch "$@"
	wait_until "$START_TIMEOUT" skepd_settled || diag "skepd is not ready after $START_TIMEOUT s"
	if skepd_gone; then
		skepd_reap || status=$?
		diag "skepd has ended with status $status"
		return $((status ? status : 1))
	fi
	check_cgroup_name
	skepd_running # not redirected: where it fails, all that on_exit says would be, too
}

skepd_reap() {
	local status=0
	wait "$skepd_pid" 2>/dev/null || status=$?
	skepd_pid=''
	return "$status"
}

# skepd_signal SIGNAL SECONDS: sends it and returns skepd's exit status, or 124 if it lives on
skepd_signal() {
	kill -s "$1" "$skepd_pid" 2>/dev/null || true
	wait_until "$2" skepd_gone || return 124
	skepd_reap
}

# skepd_stop: ends skepd as an operator would; returns its exit status, 124 if that took SIGKILL
skepd_stop() {
	local status=0
	[[ -n $skepd_pid ]] || return 0
	skepd_signal TERM "$STOP_TIMEOUT" || status=$?
	((status != 124)) || skepd_kill
	return "$status"
}

# Bash would tell of the death itself, hence the redirection.
skepd_kill() { skepd_signal KILL 5 2>/dev/null || (($? == 137)); }

# Shows what skepd has logged since the last time.
show_log() {
	local lines
	[[ -s $log ]] || return 0
	lines=$(wc -l <"$log")
	tail -n +$((log_shown + 1)) "$log" | tail -n 100 | sed 's/^/# skepd: /'
	log_shown=$lines
}

# --- what is left behind ---

# This farm's processes: all that run in the box, all in the farm's cgroup, and monitors with our
# directory in their title, for one that was killed half-way has no cgroup yet. What has ended, and only
# waits for its parent to look, has no program any more.
farm_pids() {
	local pid
	for pid in $(farm_candidates); do
		[[ ! -e /proc/$pid/exe ]] || echo "$pid"
	done
}

farm_candidates() {
	{
		[[ $lab != up ]] || ip netns pids "$LAB_BOX_NS"
		grep -lsE "/$farm_cgroup/" /proc/[0-9]*/cgroup | cut -d/ -f3
		grep -lsaE "^\[lxc monitor\] $tmp/" /proc/[0-9]*/cmdline | cut -d/ -f3
	} | sort -nu || true
}

left_processes() {
	local pid
	for pid in $(farm_pids); do
		echo "process $pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" || true)"
	done
}

left_files() {
	find "$bpf_dir" -mindepth 1 -printf 'pin %p\n' 2>/dev/null || true
	find "$run_dir" -mindepth 1 -printf 'run file %p\n' 2>/dev/null || true
	find "$state_dir/containers" -printf 'layer %p\n' 2>/dev/null || true
	find "$lxc_locks" -type f -printf 'lock %p\n' 2>/dev/null || true
}

our_mounts() { findmnt -rno TARGET | grep -F "$tmp/" || true; }
left_mounts() { our_mounts | sed 's/^/mount /'; }

# farm_cgroup_of STATE_DIR: the name of a farm's cgroup, by FNV-1a of its state_dir
farm_cgroup_of() {
	local hash=2166136261 i
	for ((i = 0; i < ${#1}; i++)); do
		((hash = (hash ^ $(printf %d "'${1:i:1}")) * 16777619 & 0xffffffff))
	done
	printf 'skep-%08x' "$hash"
}

# Below the root of v2, or of each v1 hierarchy.
our_cgroups() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$farm_cgroup"; }

# What looks for leftovers by a name that nobody has would find none.
check_cgroup_name() { [[ -n $(our_cgroups) ]] || bail "the farm's cgroup is not '$farm_cgroup'"; }

left_cgroups() { our_cgroups | sed 's/^/cgroup /'; }

left_links() {
	[[ $lab == up ]] || return 0
	ip -n "$LAB_BOX_NS" -br link show type veth | sed "s/[@ ].*//; /^$LAB_UPLINK\$/d; s/^/veth /"
	ip -n "$LAB_BOX_NS" -d link show "$LAB_UPLINK" 2>/dev/null |
		sed -n 's/.*prog\/xdp/xdp program on the uplink:/p' || true # a test may have removed it
}

left_namespaces() {
	find /run/netns -name "$LAB_PREFIX-*" -printf 'namespace %f\n' 2>/dev/null || true
}

# leftovers: one line for each thing that a stopped skepd, or a removed lab, should not have left
leftovers() {
	left_processes
	left_files
	left_mounts
	left_cgroups
	left_links
	[[ $lab != down ]] || left_namespaces
}

# Removes what leftovers has reported, so that a failed test does not make the next one fail.
sweep() {
	local pids dir
	pids=$(farm_pids)
	# shellcheck disable=SC2086 # one word a process
	[[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
	wait_until 5 no_processes || diag "processes do not end: $(farm_pids | tr '\n' ' ')"
	our_mounts | tac | xargs -r umount -l || true
	for dir in $(our_cgroups); do
		find "$dir" -depth -type d -exec rmdir {} + || true
	done
	rm -rf --one-file-system "$bpf_dir" "$lxc_locks" "$run_dir" "$state_dir/containers"
}

no_processes() { [[ -z $(farm_pids) ]]; }

# --- the end of every test ---

are_gone() {
	local pid
	for pid; do
		! kill -0 "$pid" 2>/dev/null || return 1
	done
}

# The test's own processes, but not skepd.
end_children() {
	local pid pids=()
	for pid in $(ps -o pid= --ppid $$); do
		[[ $pid == "$skepd_pid" ]] || pids+=("$pid")
	done
	kill "${pids[@]}" 2>/dev/null || true
	wait_until 5 are_gone "${pids[@]}" || kill -KILL "${pids[@]}" 2>/dev/null || true
}

# The lab is also the lock on its prefix: without it the pins of that name are another test's.
clean_up() {
	local left
	end_children
	if [[ $lab != none ]]; then
		[[ -z $skepd_pid ]] || check "skepd ends by SIGTERM, with success" skepd_stop
		left=$(leftovers | sed -n 1,50p)
		sweep
		lab_down
		left=$(echo "$left" && left_namespaces)
		check_eq "nothing is left behind" "" "$left"
	fi
	rm -rf --one-file-system "$tmp"
}

# The whole stack, innermost first: the line of the test is the last one.
note_death() {
	local i
	died_at="broken off by status $1 of: $2"
	for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
		died_at+=$'\n'"  at ${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
	done
}

on_exit() {
	trap - ERR
	trap '' HUP INT TERM # what follows is bounded
	set +e
	((ran_to_end || bailed_out)) ||
		fail "the test runs to its end" "${died_at:-ended by a signal, or without done_testing}"
	clean_up
	((bailed_out)) || echo "1..$test_count"
	exit $((failed_count > 0 || bailed_out))
}

need_tools() {
	local tool
	((EUID == 0)) || bail "net tests need root: run them with sudo"
	for tool in curl findmnt ip jq ps timeout; do
		command -v "$tool" >/dev/null || bail "'$tool' is missing: run 'make deps'"
	done
}

need_tools
tmp=$(realpath "$(mktemp -d "${TMPDIR:-/tmp}/skep-test.XXXXXX")")
trap on_exit EXIT
trap 'note_death $? "$BASH_COMMAND"' ERR
chmod 0711 "$tmp" # the mapped root of a container must get through to its writable layer
state_dir=$tmp/state run_dir=$tmp/run bpf_dir=/sys/fs/bpf/skep-$LAB_PREFIX
lxc_locks=/run/lxc/lock$tmp farm_cgroup=$(farm_cgroup_of "$state_dir")
conf=$tmp/skep.conf log=$tmp/skepd.log socket=$run_dir/skepd.sock
