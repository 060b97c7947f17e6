# SPDX-License-Identifier: MIT
# How the kernel counts 4 MiB of each kind of memory.
set encoding utf8
set terminal svg size 720,460 font "sans,13" background "white"
set title "4 MiB each, and how smaps counts them"
set ylabel "kB"
set xrange [-0.6:9.6]
set yrange [0:5500]
set xtics ("private\nanon" 0, "shared\nanon" 1, "memfd" 2, "shm\\_open" 3, \
	"shmget" 4, "shared\nhuge" 5, "memfd\nhuge" 6, "shmget\nhuge" 7, \
	"file" 8, "memfd\nsecret" 9) font ",11"
set bmargin 4
set grid ytics
set boxwidth 0.7
set style fill solid 0.6
set key top left horizontal

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("anon") with boxes title "Pss\\_Anon", \
     series("shmem") with boxes title "Pss\\_Shmem (tmpfs)", \
     series("hugetlb") with boxes title "Private\\_Hugetlb", \
     series("file") with boxes title "Pss\\_File"
