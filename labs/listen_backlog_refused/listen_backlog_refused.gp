# SPDX-License-Identifier: MIT
# How many of 12 clients are connected before anybody accepts.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "One more than backlog"
set xlabel "backlog"
set ylabel "connected clients"
set xrange [-0.5:8.5]
set yrange [0:10]
set xtics 1
set ytics 1
set grid
set key left top

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("connected") with points pt 7 ps 1 title "connected", \
     x with lines lw 2 dt 2 title "backlog"
