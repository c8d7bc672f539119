# SPDX-License-Identifier: GPL-2.0
# settle.jq: adds up what bench/settle measured.
include "statistics";

def below($text; $value; $limit; $unit):
	{target: "\($text) <= \($limit) \($unit)", measured: $value, unit: $unit,
	 met: (if $value == null then null else $value <= $limit end)};

def above($text; $value; $limit):
	{target: "\($text) >= \($limit) a second", measured: $value, unit: "a second",
	 met: (if $value == null then null else $value >= $limit end)};

# Null are those that are not settled.
# From the first bind to the last.
def rate: (.bound_s | max - min) as $s | if $s > 0 then (.bound_s | length - 1) / $s | round else null end;

def figures: {settle: (.settle_us | map(. // "lost") | summary)}
	+ if .who_has then {who_has: (.who_has | summary)} else {} end;

def a_second($n; $us): if $us > 0 then $n / $us * 1e6 | round else null end;

def report($date; $machine; $containers; $evenly; $burst):
	($evenly + {figures: ($evenly | figures), rate: ($evenly | rate)} | del(.bound_s)) as $e
	| ($burst + {figures: ($burst | figures), rate: a_second($burst.redirected; $burst.wall_us),
		program_rate: a_second($burst.redirected; $burst.program_us)} | del(.bound_s)) as $b
	| {date: $date, machine: $machine, containers: $containers, evenly: $e, burst: $b,
	   targets: [
		below("time to settled, p50, at \($e.rate) binds a second"; $e.figures.settle.p50_us; 1000; "us"),
		below("time to settled, p99"; $e.figures.settle.p99_us; 5000; "us"),
		above("binds in a burst until the pool is empty"; $b.rate; 100000)]};

def line($name; $f): [$name, $f.p50_us, $f.p99_us, $f.max_us, $f.n, $f.lost];

def tables:
	"", "\(.date[:10]), \(.containers) containers", "",
	(["microseconds", "p50", "p99", "max", "n", "lost"],
	 line("settled, \(.evenly.rate)/s"; .evenly.figures.settle),
	 line("who-has to is-at"; .evenly.figures.who_has),
	 line("settled, burst"; .burst.figures.settle)
	 | map(. // "-" | tostring) | @tsv),
	"",
	"burst: \(.burst.redirected) bound in \(.burst.wall_us) us, \(.burst.rate) a second",
	"in the program alone: \(.burst.program_us) us, \(.burst.program_rate) a second",
	"counters: \(.evenly.counters | tojson)", "burst: \(.burst.counters | tojson)",
	"",
	"targets",
	(.targets[] | (if .met == null then "not measured  " elif .met then "met           " else "missed        " end)
		+ .target + ": \(.measured) \(.unit)");
