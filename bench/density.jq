# SPDX-License-Identifier: GPL-2.0
# density.jq: adds up what bench/density saw. A container's share is the difference between two
# looks at the machine, divided by the difference of the counts.

def paper: {memory_mb: 8, disk_mb: 330};
def goals: {memory_mb: 1.2, disk_kib: 32};

def to($digits): if . == null then null else pow(10; $digits) as $p | . * $p | round / $p end;

# What stands in /proc/meminfo, in groups that do not overlap; the rest is pages that the kernel
# counts nowhere: of the page allocator, held by network namespaces, queues and the like.
def parts_of($a; $b; $n):
	def more(f): (($b.kib | f) - ($a.kib | f)) / $n;
	{processes: more(.AnonPages), writable_layers: more(.Shmem), page_tables: more(.PageTables),
	 stacks: more(.KernelStack), per_cpu: more(.Percpu), slab: more(.Slab)}
	| .other = -more(.MemAvailable) - add
	| map_values(to(0));

def slabs_of($a; $b; $n):
	[$b.slabs | to_entries[] | {name: .key, kib: ((.value - ($a.slabs[.key] // 0)) / $n / 1024)}]
	| sort_by(-.kib) | .[:16] | map({(.name): (.kib | to(1))}) | add;

def run:
	$base[0] as $a | $look[0] as $b | ($b.containers - $a.containers) as $n
	| {template: $template, containers: $b.containers, load: $b.load,
	   memory_mb: (($a.kib.MemAvailable - $b.kib.MemAvailable) * 1024 / 1e6 / $n | to(3)),
	   charged_mb: (($b.charged - $a.charged) / 1e6 / $n | to(3)),
	   disk_kib: (($b.disk - $a.disk) / 1024 / $n | to(2)),
	   others: ([$a.others, $b.others] | max - min),
	   processes: (($b.processes | add) / $b.containers | to(2)),
	   starts_per_s: ($started / $seconds | to(1)),
	   boot_ms: ($boot * 1000 | to(1)),
	   skepd_mb: (($without[0].kib.MemAvailable - $a.kib.MemAvailable) * 1024 / 1e6 | to(1)),
	   parts_kib: parts_of($a; $b; $n),
	   slabs_kib: slabs_of($a; $b; $n),
	   private_kib: ($b.private_kib | map_values(to(0))),
	   commands: ($b.processes | map_values(. / $b.containers | to(2)))};

# --- targets: those of template basic, at its highest count ---

# Memory is the machine's: what other programs took or gave meanwhile would be ours.
def quiet: .others < 20 and .memory_mb > 0;

def judged($name; $unit; $value; $limit; $sound):
	{target: $name, measured: $value, unit: $unit,
	 met: (if $sound then $value <= $limit else null end)};

def judge:
	([.[] | select(.template == "basic")] | max_by(.containers)) as $r
	| if $r then
		[judged("idle basic <= \(goals.memory_mb) MB of memory"; "MB"; $r.memory_mb; goals.memory_mb;
			$r | quiet),
		 judged("idle basic <= \(goals.disk_kib) KiB of disk"; "KiB"; $r.disk_kib;
			goals.disk_kib; true)]
	  else [] end;

def report($date; $kernel; $cores):
	{date: $date, kernel: $kernel, cores: $cores, paper: paper, runs: ., targets: judge};

# --- for people ---

def columns: [.runs[] | "\(.containers) \(.template)"];

def row($what; f): [$what] + [.runs[] | f | tostring];

def table:
	([""] + columns + ["the paper"]),
	(row("memory a container, MB"; .memory_mb) + ["\(.paper.memory_mb)"]),
	row("  charged to its cgroup, MB"; .charged_mb),
	(row("disk a container, KiB"; .disk_kib) + ["\(.paper.disk_mb) MB"]),
	row("processes a container"; .processes),
	row("started, containers/s"; .starts_per_s),
	row("one alone, ms until warm"; .boot_ms),
	row("skepd, its maps and the first, MB"; .skepd_mb),
	row("load"; .load),
	row("processes of others that came or went"; .others)
	| @tsv;

def largest: [.runs | group_by(.template)[] | max_by(.containers)];

def parts:
	largest[]
	| ["KiB a container, \(.template)", ""],
	  (.parts_kib | to_entries[] | ["  \(.key | gsub("_"; " "))", "\(.value)"]),
	  (.private_kib | to_entries | sort_by(-.value)[] | ["  process \(.key)", "\(.value)"]),
	  (.slabs_kib | to_entries[] | select(.value >= 4) | ["  slab \(.key)", "\(.value)"])
	| @tsv;

def word:
	if .met == null then "other programs were running, not judged:"
	elif .met then "met   "
	else "missed" end;

def targets: .targets[] | "\(word)  \(.target): \(.measured) \(.unit)";
