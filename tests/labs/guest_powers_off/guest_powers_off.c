// SPDX-License-Identifier: MIT
/* guest_powers_off - turns its guest off before it could end. */
#include <sys/reboot.h>

#include "tests/labs/guest_only.h"

static void demo(void)
{
	say_before_in_guest();
	must(reboot(RB_POWER_OFF));
}

const struct lab lab = {
	.name = "guest_powers_off",
	.demo = demo,
};
