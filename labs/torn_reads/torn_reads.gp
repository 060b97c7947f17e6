# SPDX-License-Identifier: MIT
# How often a long is torn, by where it lies.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "A long tears where it crosses a cache line, on some CPUs elsewhere"
set xlabel "offset of the long (bytes)"
set ylabel "torn values among those seen (%)"
set xrange [-1:128]
set yrange [0:*]
set xtics 8
set grid
unset key

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("torn") with impulses lw 3
