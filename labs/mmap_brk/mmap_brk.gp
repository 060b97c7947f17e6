# SPDX-License-Identifier: MIT
# Two panels: memory and page tables over the pages touched so far.
set terminal svg size 720,640 font "sans,13" background "white"
set multiplot layout 2,1 title "Memory comes with the touch, not with the call"
set xlabel "pages touched (of 4096, 4 KiB each)"
set xrange [0:4096]
set xtics 512
set grid
set key right bottom
set lmargin 9

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

set ylabel "resident (MiB)"
set yrange [0:18]
plot series("rss-populate") using 1:($2 / 1024) with lines lw 2 \
	title "mmap, MAP\\_POPULATE", \
     series("rss-mmap") using 1:($2 / 1024) with lines lw 2 title "mmap", \
     series("rss-sbrk") using 1:($2 / 1024) with points pt 6 title "sbrk"

set ylabel "page tables (kB)"
set yrange [0:40]
plot series("tables-populate") with fsteps lw 2 \
	title "mmap, MAP\\_POPULATE", \
     series("tables-mmap") with fsteps lw 2 title "mmap", \
     series("tables-sbrk") with points pt 6 title "sbrk"
