# SPDX-License-Identifier: MIT
# The states of both ends while one direction is closed after the other.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "Between the two shutdowns the connection is half closed"
set xlabel "step"
set xrange [0.5:10.5]
set yrange [0.5:9.5]
set ytics ("ESTABLISHED" 1, "FIN\\_WAIT1" 4, "FIN\\_WAIT2" 5, "TIME\\_WAIT" 6, \
	"CLOSE" 7, "CLOSE\\_WAIT" 8, "LAST\\_ACK" 9)
set grid
set key left center

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("a") with linespoints lw 2 pt 7 title "a, closes first", \
     series("b") with linespoints lw 2 pt 6 title "b, closes last"
