# SPDX-License-Identifier: GPL-2.0
# latency.gp: draws the file `points`, made by latency.jq; its columns are listed there.

set terminal svg size 900,600 enhanced background rgb 'white' font 'sans,13'
set datafile missing '?'
set title 'First contact with an address that nobody had'
set xlabel 'warm containers'
set ylabel 'microseconds'
set logscale xy
set xrange [15:1500]
set yrange [1:1e6]
set xtics (20, 40, 60, 100, 200, 500, 1000, 2000)
set format y '10^{%T}'
set grid ytics mytics xtics lc rgb '#dddddd'
set key outside right top

plot points using 1:10 with linespoints lc rgb '#000000' pt 5 title 'the paper, mean', \
     points using 1:9 with linespoints lc rgb '#777777' pt 4 title 'by commands, p50', \
     points using 1:7 with linespoints lc rgb '#e69f00' dt 2 pt 8 title 'SYN to SYN-ACK, p99', \
     points using 1:6 with linespoints lc rgb '#e69f00' pt 9 title 'SYN to SYN-ACK, p50', \
     points using 1:5 with linespoints lc rgb '#0072b2' dt 2 pt 6 title 'who-has to is-at, p99', \
     points using 1:4 with linespoints lc rgb '#0072b2' pt 7 title 'who-has to is-at, p50', \
     points using 1:3 with linespoints lc rgb '#d55e00' dt 2 pt 12 title 'allocation, p99', \
     points using 1:2 with linespoints lc rgb '#d55e00' pt 13 title 'allocation, p50', \
     points using 1:8 with linespoints lc rgb '#009e73' pt 11 title 'already bound, p50'
