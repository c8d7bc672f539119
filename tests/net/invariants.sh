# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# invariants.sh: what must hold of a farm whenever nothing is under way, however it came there. Sourced
# after lib.sh by the tests that kill and break things. It looks from outside: maps, links, cgroups,
# processes and the wire; skepctl's view must agree with all of them.
#
#	check_farm TEXT [SECONDS]   it comes to rest, and then everything holds
# shellcheck disable=SC2154 # they are lib.sh's
# shellcheck disable=SC2016 # jq's own

# The control group of this farm: named after state_dir by FNV-1a, see user/farm_paths.c.
farm_group() {
	local hash=2166136261 i
	for ((i = 0; i < ${#state_dir}; i++)); do
		hash=$((((hash ^ $(printf '%d' "'${state_dir:i:1}")) * 16777619) & 0xffffffff))
	done
	printf 'skep-%08x' "$hash"
}

# Where containers' groups can be listed: the unified hierarchy, wherever that is.
farm_cgroup() {
	local root=/sys/fs/cgroup
	[[ ! -d $root/unified ]] || root=$root/unified
	echo "$root/$(farm_group)"
}

# farm_processes: PID CONTAINER for each process in a container's group
farm_processes() {
	local group
	for group in "$(farm_cgroup)"/c[0-9]*; do
		sed "s|\$| ${group##*/}|" "$group/cgroup.procs" 2>/dev/null || true
	done
}

dump_map() { bpftool -j map dump pinned "$bpf_dir/$1" | jq -c '[.[].formatted]'; }
map_len() { dump_map "$1" | jq length; }

# links: the ports with their numbers; programs: what is attached to links; own_programs: those that
# skepd has loaded
links() { box ip -j link show type veth | jq -c --arg uplink "$LAB_UPLINK" '[.[] | select(.ifname != $uplink)]'; }
programs() { box bpftool -j net show | jq -c '.[0]'; }
own_programs() { sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$skepd_pid"/fdinfo/* 2>/dev/null | sort -nu; }

# inside FILE: of each running container its name, three lists (links, rules and local routes on its
# side), and whether it hears others from addresses that are its own
inside() {
	local name pid
	while read -r name pid; do
		printf '"%s"\n' "$name"
		in_net "$pid" sh -c 'ip -j -batch - && cat /proc/sys/net/ipv4/conf/eth0/accept_local' \
			<<<$'address show dev eth0\nrule show\nroute show table local' 2>/dev/null || echo '[] [] [] -1'
	done < <(running "$1")
}

# offers FILE: of each running container, what the uplink program may give away; in the order of inside
offers() {
	local name slot
	while read -r name _; do
		slot=${name#c}
		printf 'map lookup pinned %s/offers key %d %d 0 0\n' "$bpf_dir" $((slot & 255)) $((slot >> 8))
	done < <(running "$1") | bpftool -j batch file - | jq -c '.[].output.formatted'
}

running() {
	jq -r '.containers[] | select(.state == "idle" or .state == "bound") | "\(.container) \(.pid)"' "$1"
}

# unanswered ADDRESS...: those of them that nobody answers for on the router's side
unanswered() {
	local up address
	(($#)) || return 0
	up=$(router nmap -n -sn -PR -e "$LAB_LAN" --max-retries 3 --min-rtt-timeout 500ms -oG - "$@" |
		sed -n 's/^Host: \([0-9.]*\) .*Status: Up.*/\1/p')
	for address; do
		grep -qFx "$address" <<<"$up" || echo "$address"
	done
}

gather() { # DIR
	mkdir -p "$1"
	ctl --json containers >"$1/skepctl"
	ctl --json leases >"$1/listed"
	dump_map leases >"$1/leases"
	dump_map ports >"$1/ports"
	links >"$1/links"
	programs >"$1/programs"
	own_programs >"$1/own"
	inside "$1/skepctl" >"$1/inside"
	offers "$1/skepctl" >"$1/offers"
	find "$(farm_cgroup)" -mindepth 1 -maxdepth 1 -type d -name 'c[0-9]*' -printf '"%f"\n' >"$1/cgroups"
}

# What skepctl says against maps, links, programs, addresses and cgroups. A failed container may or may
# not have what others have. One that has lost its first lease keeps that address inside, unleased, and
# its link address. An idle one waits open, where the uplink program may give it away; a bound one has
# what any machine has, and nothing of that.
readonly disagreements='
	def slot: "c\(.value.container)";
	def address: .key.ip.octet | map(tostring) | join(".");
	def index_by(f; g): map({key: f, value: g}) | from_entries;
	def in_state($list): [.[] | select(.state | IN($list[]))];
	def mac: map(. as $n | "0123456789abcdef" | .[$n / 16 | floor:][:1] + .[$n % 16:][:1]) | join(":");
	def rules: map("\(.priority) \(.iif // "all") \(.table)") | join(", ");

	$skepctl[0].containers as $all | $leases[0] as $leases | $ports[0] as $ports | $links[0] as $links
	| ($all | index_by(.container; .)) as $named
	| ($links | index_by(.ifname; .ifindex)) as $number
	| ($leases | group_by(slot) | index_by(.[0] | slot; map(address))) as $held
	| ($all | in_state(["bound"])) as $bound
	| ($all | in_state(["idle", "bound"])) as $sound
	| ($bound | map($number[.port])) as $open
	| ($all | in_state(["idle"]) | map($number[.port])) as $waiting
	| ($ports | map(select(.value.shut == 0).key)) as $opened
	| ($ports | map(select(.value.shut == 1).key)) as $shut
	| [range(0; $inside | length; 5) as $i | {container: $inside[$i], link: ($inside[$i + 1][0] // {}),
		rules: ($inside[$i + 2] | rules), accepts: $inside[$i + 4], offer: $offers[$i / 5].value,
		wide: [$inside[$i + 3][] | select(.type == "local" and .dev == "eth0" and (.dst | contains("/"))).dst]}
	] as $insides
	| [$programs[0].tc[]? | select(.name | startswith("port"))] as $filters
	| ($leases[] | select($named[slot].state != "bound")
		| "the lease of \(address) is with \(slot), which is \($named[slot].state // "nothing")"),
	  ($leases[] | select($number[$named[slot].port // ""] != .value.port)
		| "the lease of \(address) leads to link \(.value.port), not to the port of \(slot)"),
	  ($bound[] | select(.leases == 0 or .leases != ($held[.container] // [] | length))
		| "\(.container) is bound to \(.leases) leases, the map has \($held[.container])"),
	  ($listed[0].leases | length | select(. != ($leases | length))
		| "skepctl lists \(.) leases, the map has \($leases | length)"),
	  ($open - $opened | .[] | "the port \(.) of a bound container is shut"),
	  ($opened - $open | .[] | "the port \(.) is open, and of no bound container"),
	  ($shut - $waiting | .[] | "the port \(.) is shut, and of no idle container"),
	  ($waiting - $shut | .[] | select($bind == "kernel") | "the port \(.) of an idle container is not prepared"),
	  ($ports[] | select($number[$named[slot].port // ""] != .key) | "port \(.key) is not that of \(slot)"),
	  (($sound | map(.port)) - ($links | map(.ifname)) | .[] | "the port \(.) does not exist"),
	  (($links | map(.ifname)) - ($all | map(.port)) | .[] | "there is a link \(.) of no container"),
	  (($sound | map(.container)) - $cgroups | .[] | "there is no cgroup \(.)"),
	  ($cgroups - ($all | map(.container)) | .[] | "there is a cgroup \(.) of no container"),
	  ($leases[] | select(.value.state != 3) | "the lease of \(address) is in state \(.value.state)"),
	  ($listed[0].leases[] | select(.state != "settled") | "skepctl says that the lease of \(.address) is \(.state)"),
	  ($insides[] | . as $i | ($leases[] | select(slot == $i.container)) | (.value.eth0 | mac) as $eth0
		| select($eth0 != $i.link.address)
		| "\($i.container) has the link address \($i.link.address), and its lease says \($eth0)"),
	  ($insides[] | . as $i | [$leases[] | select(slot == $i.container)]
		| select($shares == "no" and length > 0 and .[0].value.mac != .[0].value.eth0)
		| "\($i.container) has another link address than is known of it"),
	  ($insides[] | select($named[.container].state == "idle" and $bind == "kernel")
		| select(.wide == [] or .accepts != 1 or .offer.serial == 0 or (.offer.eth0 | mac) != .link.address
			or .offer.port != $number[$named[.container].port])
		| "\(.container) does not wait to be given away: \(.)"),
	  ($insides[] | select($named[.container].state == "bound" or $bind == "daemon")
		| select(.wide != [] or .accepts != 0 or .offer.serial != 0) | "\(.container) is not closed: \(.)"),
	  ($insides[] | select(.rules != "0 all local, 32766 all main, 32767 all default")
		| "\(.container) has other routing rules than any machine: \(.rules)"),
	  ($insides[] | .container as $c | [.link.addr_info[]? | select(.family == "inet").local] as $has
		| ($held[$c] // []) as $leased
		| select($leased - $has != [] or ($has - $leased | length) > (if $leased == [] then 0 else 1 end))
		| "\($c) has the addresses \($has), and leases for \($leased)"),
	  ($filters[] | select([.id // .prog_id] - $own != []) | "the port \(.devname) has a program that is not skepd\u0027s"),
	  ($programs[0].xdp | map(.id) | select(length != 1 or . - $own != [])
		| "the XDP programs in the box are \(.), those of skepd \($own)")'

# Each container has the init that skepctl names; none of what started it is about any more.
process_violations() { # FILE of skepctl's containers
	local processes name pid
	processes=$(farm_processes)
	while read -r name pid; do
		grep -qFx "$pid $name" <<<"$processes" || echo "the init $pid is not in the cgroup of $name"
	done < <(running "$1")
	grep -lsaE "^\[lxc monitor\] $tmp/" /proc/[0-9]*/cmdline | sed 's|^/proc/|there is a monitor: |' || true
	strays
}

# What a keeper forks must end with it: it has the locks of the directories.
strays() {
	local pid
	for pid in $(ip netns pids "$LAB_BOX_NS"); do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) == skepd-keeper ]] || continue
		grep -q "^PPid:[[:space:]]*1\$" "/proc/$pid/status" 2>/dev/null && echo "a keeper's child $pid has outlived it"
	done
	true
}

# violations: one line for each thing that does not hold
violations() {
	local dir=$tmp/facts name arguments=()
	gather "$dir"
	for name in skepctl listed leases ports links programs own inside offers cgroups; do
		arguments+=(--slurpfile "$name" "$dir/$name")
	done
	arguments+=(--arg bind "$(ctl --json status | jq -r .bind)")
	arguments+=(--arg shares "$(grep -q 'when_exhausted = "share"' "$conf" && echo yes || echo no)")
	jq -nr "${arguments[@]}" "$disagreements"
	process_violations "$dir/skepctl"
	# shellcheck disable=SC2046 # one word an address
	unanswered $(jq -r '.leases[] | select(.uplink != "reflect").address' "$dir/listed") | sed 's/^/nobody answers for the leased address /'
}

holds() {
	broken=$(violations 2>&1) || broken+=$'\n'"violations() ends with status $?"
	[[ -z $broken ]]
}

# Nothing is under way, and the pool is warm as far as there is room.
farm_settled() {
	ctl --json status | jq -e '(.state | IN("running", "draining")) and
		(.pool as $p | $p.starting == 0 and $p.recycling == 0 and
			all(.templates[]; .state != "on" or .idle >= $p.warm or $p.idle + $p.bound >= $p.max))'
}

# What goes by itself gets a little time: the links of containers that are gone go with their networks.
# A look takes time too, and may be at something that is just happening: so there are several.
await_holds() {
	local end=$((SECONDS + 5)) looks=0
	until holds || ((++looks >= 4 && SECONDS > end)); do
		sleep 0.1
	done
}

check_farm() {
	local text=$1 seconds=${2:-20}
	if ! wait_until "$seconds" farm_settled; then
		fail "$text: the farm comes to rest" "$(ctl --json status 2>&1 || true)"
		return
	fi
	await_holds
	check_eq "$text: everything holds" '' "$broken"
}
