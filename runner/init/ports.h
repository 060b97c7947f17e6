/* SPDX-License-Identifier: MIT */
/* ports.h - what the guest's /init and the runner agree on. */
#pragma once

/* I/O ports of QEMU's isa-debugcon: a byte written is a byte of the file. */
#define GUEST_LAB_PORT	  0xe9
#define GUEST_STATUS_PORT 0xea

/* QEMU's isa-debug-exit: a byte v written ends QEMU with (v << 1) | 1. */
#define GUEST_EXIT_PORT	 0xf4
#define GUEST_EXIT_VALUE 0x2b
#define GUEST_EXIT_CODE	 (GUEST_EXIT_VALUE << 1 | 1)

/* The console's line between the boot and the lab. */
#define GUEST_CONSOLE_MARK "init: the lab starts"
