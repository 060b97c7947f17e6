# SPDX-License-Identifier: MIT
# What a writer got rid of, while a slow reader takes 4 KiB each millisecond.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "A reader slows down a pipe's writer, not a file's"
set xlabel "time (ms)"
set ylabel "accepted from the writer (KiB)"
set xrange [0:*]
set yrange [0:176]
set ytics 32
set grid
set key right bottom

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("file") with steps lw 2 title "into a file", \
     series("pipe") with steps lw 2 title "into a pipe"
