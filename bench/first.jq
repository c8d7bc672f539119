# SPDX-License-Identifier: GPL-2.0
# first.jq: adds up what bench/first measured. Input of report() are lines of "KIND MICROSECONDS", or
# what became of the question instead.
include "statistics";

def goal: 1.25;
def alpha: 0.01;

def kinds: [
	["first", "who-has, first contact"],
	["again", "who-has, the same again"],
	["container", "who-has, ordinary container"],
	["box", "who-has, the box itself"],
	["machine", "who-has, ordinary machine"],
	["syn_first", "SYN, first contact"],
	["syn_again", "SYN, the same again"],
	["http_first", "page, first contact"],
	["http_again", "page, the same again"],
	["settled", "bind to settled"],
	["bind", "seen to bound"]
];

def samples:
	reduce inputs as $line ({}; ($line | split(" ")) as $w
		| .[$w[0]] += [$w[1] | if test("^[0-9.]+$") then tonumber else . end]);

# --- targets ---

def ratio($figures; $a; $b; $what):
	$figures[$a][$what] as $x | $figures[$b][$what] as $y
	| if $x == null or $y == null or $y == 0 then null else $x / $y | to(2) end;

def not_above($figures; $a; $b; $what; $text):
	ratio($figures; $a; $b; $what) as $r
	| {target: "\($text) <= \(goal) x", what: $what[:3], measured: $r, unit: "x",
	   met: (if $r == null then null else $r <= goal end)};

def told_apart($samples; $a; $b; $text):
	ks($samples[$a] // []; $samples[$b] // []; alpha) as $ks
	| {target: "\($text): not told apart at 1 % (Kolmogorov-Smirnov)", measured: $ks.d,
	   unit: "(critical \($ks.critical), p \($ks.p))", ks: $ks,
	   met: (if $ks then $ks.rejected | not else null end)};

def pairs: [
	["first", "container", "first contact, against an ordinary container"],
	["first", "box", "first contact, against the box itself"],
	["first", "machine", "first contact, against an ordinary machine"],
	["first", "again", "first contact, against the same again"],
	["syn_first", "syn_again", "SYN to SYN-ACK, against the same again"],
	["http_first", "http_again", "page, against the same again"]
];

def targets($run):
	[(pairs[] | . as $p | ("p50_us", "p99_us")
	  | not_above($run.figures; $p[0]; $p[1]; .; "\($p[2]), \(.[:3])")),
	 told_apart($run.samples; "first"; "again"; "first contact and the same again")];

# What skepd has bound itself is settled from the beginning; what is not settled counts as lost.
def of_leases($leases; $bind):
	{bind: [$leases[].bind_us]} + if $bind == "kernel" then
		{settled: [$leases[] | if .state == "settled" then .settle_us else "lost" end | select(.)]} else {} end;

def report($date; $machine; $leases; $run):
	($run + {samples: (samples + of_leases($leases; $run.bind))}) | .figures = (.samples | map_values(summary)) | . as $run
	| {date: $date, machine: $machine, runs: [$run], targets: targets($run)};

# --- for people ---

def right($w): tostring | " " * ([$w - length, 0] | max) + .;
def left($w): . + " " * ([$w - length, 0] | max);

def line($name; $f):
	($name | left(30))
	+ ([$f.p50_us, $f.p99_us, $f.min_us, $f.max_us, $f.mean_us, $f.sd_us, $f.n, $f.lost] | map(. // "-" | right(9)) | join(""));

def word: if .met == null then "not measured" elif .met then "met" else "missed" end | left(13);

def tables:
	.runs[0] as $run
	| "", "\(.date[:10]), \($run.containers) containers, bind = \($run.bind), one in \($run.pace_ms) ms, load \($run.load)"
		+ (if $run.refill then ", being refilled" else "" end),
	  "",
	  ("microseconds" | left(30)) + (["p50", "p99", "min", "max", "mean", "sd", "n", "lost"] | map(right(9)) | join("")),
	  (kinds[] | line(.[1]; $run.figures[.[0]])),
	  "",
	  "targets",
	  (.targets[] | word + .target + (if .measured == null then "" else ": \(.measured) \(.unit)" end));

# --- for the plot ---

# As many steps as can be seen.
def steps($name):
	.runs[0].samples[$name] // [] | numbers_of | sort | length as $n | ([$n, 400] | min) as $steps
	| range(1; $steps + 1) as $k | "\(.[($n * $k / $steps | ceil) - 1]) \($k / $steps)";
