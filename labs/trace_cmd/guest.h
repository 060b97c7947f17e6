/* SPDX-License-Identifier: MIT */
/* guest.h - what the inner guest and the lab agree on. */
#pragma once

#define GUEST_CODE 0x1000 /* where the code is: gfn 1, as in the note */
#define GUEST_PAGE 0x2000 /* the page that it touches: gfn 2 */
#define GUEST_PORT 0x42

#ifndef __ASSEMBLER__
#include <stddef.h>

extern const char guest_code[];
extern const size_t guest_code_size;
#endif
