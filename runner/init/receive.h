/* SPDX-License-Identifier: MIT */
/* receive.h - files that come to a guest which is already running. */
#pragma once

#include <stddef.h>

/* QEMU's fw_cfg file with an archive as initramfs.c writes it. */
#define GUEST_FILES "opt/notelab/files"

/* Whether QEMU's firmware configuration device can be read, and by DMA. */
int receive_open(void);

/*
 * Wait until QEMU offers the file, and unpack it below "/". 0, or -1 with
 * errno and what failed in @what.
 */
int receive_files(const char **what);

/* Set the clock to @seconds (with a fraction) since 1970. */
void receive_clock(const char *seconds);

/* Mix @hex into the kernel's random numbers, and start them afresh. */
void receive_entropy(const char *hex);
