/* SPDX-License-Identifier: MIT */
/*
 * The inner guest, in real mode with flat segments: it touches a page for the
 * first time, touches it again, tells user space by a port, and halts. It
 * begins at an address of its own page, and nothing in it depends on which.
 */
#include "labs/trace_cmd/guest.h"

	.section .rodata
	.code16
	.globl guest_code, guest_code_size
guest_code:
	movb	$1, GUEST_PAGE		/* no translation yet: a page fault */
	movb	$2, GUEST_PAGE + 1	/* the same page: nobody notices */
	mov	$'x', %al
	out	%al, $GUEST_PORT	/* KVM_EXIT_IO */
	hlt				/* KVM_EXIT_HLT */
end:
	.balign 8
guest_code_size:
	.quad	end - guest_code

	.section .note.GNU-stack, "", @progbits
