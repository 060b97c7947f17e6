// SPDX-License-Identifier: MIT
#include "common/kernel.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "common/lab.h"

bool kernel_since(int major, int minor)
{
	struct utsname uts;
	int have_major, have_minor;

	must(uname(&uts));
	if (sscanf(uts.release, "%d.%d", &have_major, &have_minor) != 2)
		die("cannot read the release \"%s\"", uts.release);
	return have_major != major ? have_major > major : have_minor >= minor;
}
