/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Exceptions, by the numbers and the names of the CPU's manual. */
enum vector {
	VECTOR_DE = 0,	/* divide error */
	VECTOR_UD = 6,	/* undefined instruction */
	VECTOR_SS = 12, /* stack segment */
	VECTOR_GP = 13, /* general protection */
	VECTOR_PF = 14, /* page fault */
	VECTOR_AC = 17, /* alignment check */
	VECTOR_XM = 19, /* SIMD floating point */
};

/* "#PF" for 14, "?" for one that is not in the list above. */
const char *vector_name(long vector);

/* "SEGV_MAPERR" for SIGSEGV and 1, "SI_TKILL" for any signal and -6. */
const char *code_name(int signal, int code);

/* What a handler is told of a signal. */
struct report {
	int signal; /* 0: none came */
	int code;
	uintptr_t address;
	long vector;   /* the last exception of this thread, ... */
	long error;    /* ... its error code ... */
	uintptr_t cr2; /* ... and the address of its last page fault */
};

/* Run @act and report the first signal that comes of it. */
struct report report_of(void (*act)(void));
