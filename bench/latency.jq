# SPDX-License-Identifier: GPL-2.0
# latency.jq: adds up what bench/latency measured. Samples are microseconds; what brought no answer
# ("lost", "refused") is counted apart and is in no mean or percentile.
include "statistics";

# Table 1 of the paper: from receiving the ARP request to the end of the assignment.
def paper: [
	{containers: 20, mean_us: 256000, sd_us: 27000},
	{containers: 40, mean_us: 272000, sd_us: 28000},
	{containers: 60, mean_us: 294000, sd_us: 30000}
];

def figures: [
	["allocation", "allocation"],
	["who_has", "who-has to is-at"],
	["syn", "SYN to SYN-ACK"],
	["who_has_again", "who-has, already bound"],
	["who_has_box", "who-has, the box itself"],
	["syn_again", "SYN, already bound"],
	["commands", "by commands"]
];

def at($n): .runs[] | select(.containers == $n);

# --- targets ---

def worst($figure; $what): [.runs[] | .figures[$figure][$what]] | max;

def below($name; $figure; $what; $limit):
	worst($figure; $what) as $v
	| {target: "\($name) <= \($limit) us at every count", measured: $v, unit: "us",
	   met: ($v <= $limit)};

def growth:
	[(at(20) | .figures.allocation.p50_us), (at(1000) | .figures.allocation.p50_us)] as $p
	| {target: "allocation p50 at 1000 containers <= 1.2 x that at 20", unit: "x",
	   measured: (if ($p | length) == 2 then $p[1] / $p[0] * 100 | round / 100 else null end)}
	| .met = (.measured | if . == null then null else . <= 1.2 end);

def speedup:
	[.runs[] as $run | paper[] | select(.containers == $run.containers)
	 | .mean_us / $run.figures.allocation.mean_us] as $x
	| {target: "allocation >= 500 times faster than the paper, mean against mean", unit: "x",
	   measured: ($x | min | if . == null then null else floor end)}
	| .met = (.measured | if . == null then null else . >= 500 end);

def targets: [
	below("allocation p50"; "allocation"; "p50_us"; 150),
	below("allocation p99"; "allocation"; "p99_us"; 1000),
	growth,
	speedup,
	below("who-has to is-at p50"; "who_has"; "p50_us"; 200)
];

def report($date; $machine; $bind):
	{date: $date, machine: $machine, paper: paper,
	 runs: map({containers, bind: $bind, load, no_bind_pool_empty: .counters.no_bind_pool_empty,
		    figures: (.samples | map_values(summary)), samples})}
	| .targets = targets;

# --- for people ---

def left($w): . + " " * ([$w - length, 0] | max);
def right($w): " " * ([$w - length, 0] | max) + .;
def us: if . == null then "-" elif . >= 10000 then round | tostring else
	(. * 10 | round | tostring | if length < 2 then "0" + . else . end) | .[:-1] + "." + .[-1:] end;

def heading:
	("containers" | left(12)) + ("figure, us" | left(25))
	+ (["mean", "sd", "p50", "p99", "max", "n", "lost"] | map(right(9)) | join(""));

def line($containers; $name; $f):
	($containers | tostring | left(12)) + ($name | left(25))
	+ ([$f.mean_us, $f.sd_us, $f.p50_us, $f.p99_us, $f.max_us] | map(us | right(9)) | join(""))
	+ ([$f.n, $f.lost] | map((if . == null then "-" else tostring end) | right(9)) | join(""));

def table:
	heading,
	(.runs[] as $run
	 | (figures[] | line($run.containers; .[1]; $run.figures[.[0]])),
	   (paper[] | select(.containers == $run.containers) | line(.containers; "the paper"; .)),
	   "");

def verdict:
	(if .met == null then "not measured" elif .met then "met" else "missed" end | left(13))
	+ .target + (if .measured == null then "" else ": \(.measured) \(.unit)" end);

def machine_line:
	.machine | "\(.cpu), \(.cores) cores\(if .hypervisor then " under " + .hypervisor else "" end), "
	+ "\(.memory_gib) GiB, \(.system), kernel \(.kernel)";

def tables:
	"", "\(.date[:10]), \(machine_line)", "", table,
	(.runs[] | select(.no_bind_pool_empty > 0)
	 | "\(.containers) containers: the pool ran empty \(.no_bind_pool_empty) times", ""),
	"targets", (.targets[] | verdict);

# --- for the plot: a row for each count, "?" where nothing was measured ---

def points:
	.runs | sort_by(.containers)[] | . as $run | .figures as $f
	| [.containers, $f.allocation.p50_us, $f.allocation.p99_us, $f.who_has.p50_us, $f.who_has.p99_us,
	   $f.syn.p50_us, $f.syn.p99_us, $f.who_has_again.p50_us, $f.commands.p50_us,
	   ([paper[] | select(.containers == $run.containers) | .mean_us] | first)]
	| map(if . == null then "?" else tostring end) | join(" ");
