// SPDX-License-Identifier: MIT
/*
 * fault_to_signal - which exception of the CPU becomes which signal.
 *
 * The program does what it must not, one thing after the other, and prints
 * what its handler is told: the kernel's signal beside the CPU's own vector.
 * Then come signals without an exception, and exceptions without a signal.
 */
#include "fault_to_signal.h"

#include <cpuid.h>
#include <fcntl.h>
#include <immintrin.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/spawn.h"

enum { PAGE = 4096, PAGES = 16, DEADLINE_MS = 10000, EFLAGS_AC = 1 << 18 };

/* Bits of a page fault's error code. */
enum { PRESENT = 1, WRITE = 2, USER = 4, FETCH = 16 };

/* Low bits of another exception's error code: what its number is of. */
enum { IN_INTERRUPT_TABLE = 2 };

/* In neither half, if addresses have 48 bits, and if they have 57. */
#define NON_CANONICAL 0x0100000000000000l

const char *vector_name(long vector)
{
	switch (vector) {
	case VECTOR_DE:
		return "#DE";
	case VECTOR_UD:
		return "#UD";
	case VECTOR_SS:
		return "#SS";
	case VECTOR_GP:
		return "#GP";
	case VECTOR_PF:
		return "#PF";
	case VECTOR_AC:
		return "#AC";
	case VECTOR_XM:
		return "#XM";
	}
	return "?";
}

const char *code_name(int signal, int code)
{
	static const struct {
		int signal, code;
		const char *name;
	} names[] = {
		{ SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR" },
		{ SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR" },
		{ SIGBUS, BUS_ADRALN, "BUS_ADRALN" },
		{ SIGBUS, BUS_ADRERR, "BUS_ADRERR" },
		{ SIGILL, ILL_ILLOPN, "ILL_ILLOPN" },
		{ SIGFPE, FPE_INTDIV, "FPE_INTDIV" },
		{ SIGFPE, FPE_FLTDIV, "FPE_FLTDIV" },
		{ 0, SI_KERNEL, "SI_KERNEL" },
		{ 0, SI_USER, "SI_USER" },
		{ 0, SI_TKILL, "SI_TKILL" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == code &&
		    (names[i].signal == signal || !names[i].signal))
			return names[i].name;
	return "?";
}

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM };
static struct report caught;
static sigjmp_buf back;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	/* The kernel leaves it set; compiled code may load misaligned. */
	__writeeflags(__readeflags() & ~EFLAGS_AC);
	caught = (struct report){
		.signal = sig,
		.code = info->si_code,
		.address = (uintptr_t)info->si_addr,
		.vector = regs[REG_TRAPNO],
		.error = regs[REG_ERR],
		.cr2 = regs[REG_CR2],
	};
	siglongjmp(back, 1);
}

struct report report_of(void (*act)(void))
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO };
	struct sigaction old[ARRAY_SIZE(signals)];

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		must(sigaction(signals[i], &action, &old[i]));
	caught = (struct report){ 0 };
	if (sigsetjmp(back, 1) == 0)
		act();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		must(sigaction(signals[i], &old[i], NULL));
	return caught;
}

/* The acts, by their instructions: a compiler would not do as it is told. */
static volatile char *read_only, *beyond_end, *fresh;
static char data[16] __attribute__((aligned(16)));

static void store(volatile char *at)
{
	asm volatile("movb $1, (%0)" : : "r"(at) : "memory");
}

static void load(long at)
{
	asm volatile("mov (%0), %%al" : : "r"(at) : "rax");
}

static void divide(int dividend, int divisor)
{
	asm volatile("cltd; idivl %1"
		     : "+a"(dividend)
		     : "r"(divisor)
		     : "edx", "cc");
}

static void divide_floats(void)
{
	float dividend = 1;

	asm volatile("divss %1, %0" : "+x"(dividend) : "x"(0.0f));
}

static void store_to_null(void)
{
	store(NULL);
}

static void store_to_read_only(void)
{
	store(read_only);
}

static void run_data(void)
{
	asm volatile("jmp *%0" : : "r"(read_only));
}

static void store_to_fresh(void)
{
	for (int i = 0; i < PAGES; i++)
		store(fresh + i * PAGE);
}

static void load_beyond_end(void)
{
	load((long)beyond_end);
}

static void load_from_data(void)
{
	load((long)data);
}

static void load_non_canonical(void)
{
	load(NON_CANONICAL);
}

/* The same, but an address in RBP counts as one in the stack. */
static void load_by_frame(void)
{
	asm volatile("mov %%rbp, %%r8\n\t"
		     "mov %0, %%rbp\n\t"
		     "mov (%%rbp), %%al\n\t"
		     "mov %%r8, %%rbp"
		     :
		     : "r"(NON_CANONICAL)
		     : "rax", "r8");
}

static void load_misaligned(void)
{
	__writeeflags(__readeflags() | EFLAGS_AC);
	asm volatile("mov 1(%0), %%eax" : : "r"(data) : "rax");
	__writeeflags(__readeflags() & ~EFLAGS_AC);
}

static void load_aligned(void)
{
	__writeeflags(__readeflags() | EFLAGS_AC);
	asm volatile("mov 4(%0), %%eax" : : "r"(data) : "rax");
	__writeeflags(__readeflags() & ~EFLAGS_AC);
}

static void undefined(void)
{
	asm volatile("ud2");
}

static void halt(void)
{
	asm volatile("hlt");
}

static void raise_vector(void)
{
	asm volatile("int $14");
}

static void breathe(void)
{
	asm volatile("pause");
}

static void divide_by_zero(void)
{
	divide(1, 0);
}

static void divide_by_one(void)
{
	divide(INT_MIN, 1);
}

static void divide_minimum(void)
{
	divide(INT_MIN, -1);
}

static void divide_unmasked(void)
{
	unsigned int masked = _mm_getcsr();

	_mm_setcsr(masked & ~_MM_MASK_DIV_ZERO);
	divide_floats();
	_mm_setcsr(masked);
}

static void print_report(const char *what, const struct report *r)
{
	if (!r->signal) {
		printf("%-32s no signal\n", what);
		return;
	}
	printf("%-32s SIG%-5s %-12s %3ld %-4s %#6lx  ", what,
	       sigabbrev_np(r->signal), code_name(r->signal, r->code),
	       r->vector, vector_name(r->vector), (unsigned long)r->error);
	if (r->code > 0)
		printf("%#lx\n", (unsigned long)r->address);
	else
		puts("-"); /* the sender's ids stand there */
}

static struct report show(const char *what, void (*act)(void))
{
	struct report r = report_of(act);

	print_report(what, &r);
	return r;
}

static bool is(const struct report *r, int signal, int code, long vector)
{
	return r->signal == signal && r->code == code && r->vector == vector;
}

static void page_faults(void)
{
	struct report null, protected, code, end;
	int fd = must(memfd_create("empty", MFD_CLOEXEC));

	read_only = must(mmap(NULL, PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	beyond_end = must(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	load((long)read_only); /* so that its page is there */

	null = show("store to NULL", store_to_null);
	protected = show("store to a read-only page", store_to_read_only);
	code = show("run that page", run_data);
	end = show("load beyond the end of a file", load_beyond_end);
	claim("unmapped", is(&null, SIGSEGV, SEGV_MAPERR, VECTOR_PF) &&
				  null.address == 0 && null.cr2 == 0);
	control("unmapped", report_of(load_from_data).signal == 0);
	claim("protected", is(&protected, SIGSEGV, SEGV_ACCERR, VECTOR_PF) &&
				   protected.address == (uintptr_t)read_only);
	must(mprotect((void *)read_only, PAGE, PROT_READ | PROT_WRITE));
	control("protected", report_of(store_to_read_only).signal == 0);
	claim("error-code",
	      null.error == (USER | WRITE) &&
		      protected.error == (USER | WRITE | PRESENT));
	control("error-code",
		code.error == (USER | FETCH | PRESENT) && end.error == USER);
	claim("beyond-end", is(&end, SIGBUS, BUS_ADRERR, VECTOR_PF) &&
				    end.address == (uintptr_t)beyond_end);
	must(ftruncate(fd, PAGE));
	control("beyond-end", report_of(load_beyond_end).signal == 0);
	close(fd);
}

/* Report @id, and with @counter its control; QEMU's translation is too lax. */
static void strict_claim(const char *id, bool holds, bool counter)
{
	unsigned int max, name[3];

	__cpuid(0x40000000, max, name[0], name[1], name[2]);
	if (!memcmp(name, "TCGTCGTCGTCG", sizeof(name))) {
		claim_skip(id, "a CPU that checks this", "QEMU's translation",
			   "a guest with KVM, or the host");
		return;
	}
	claim(id, holds);
	control(id, counter);
}

static void other_addresses(void)
{
	struct report plain =
		show("load, address not canonical", load_non_canonical);
	struct report frame = show("the same by RBP", load_by_frame);
	struct report misaligned =
		show("load misaligned, flag AC set", load_misaligned);

	claim("not-canonical", is(&plain, SIGSEGV, SI_KERNEL, VECTOR_GP) &&
				       plain.address == 0 &&
				       plain.cr2 != NON_CANONICAL);
	control("not-canonical", report_of(load_from_data).signal == 0);
	strict_claim("stack-segment", is(&frame, SIGBUS, SI_KERNEL, VECTOR_SS),
		     plain.signal == SIGSEGV);
	strict_claim("misaligned",
		     is(&misaligned, SIGBUS, BUS_ADRALN, VECTOR_AC),
		     report_of(load_aligned).signal == 0);
}

static void instructions(void)
{
	struct report ud2 = show("ud2", undefined);
	struct report hlt = show("hlt", halt);
	struct report int14 = show("int $14", raise_vector);
	struct report zero = show("1 / 0", divide_by_zero);
	struct report minimum = show("INT_MIN / -1", divide_minimum);
	struct report masked = show("1.0f / 0", divide_floats);
	struct report unmasked = show("1.0f / 0, unmasked", divide_unmasked);

	claim("undefined", is(&ud2, SIGILL, ILL_ILLOPN, VECTOR_UD));
	control("undefined", report_of(breathe).signal == 0);
	claim("privileged", is(&hlt, SIGSEGV, SI_KERNEL, VECTOR_GP));
	control("privileged", report_of(breathe).signal == 0);
	claim("no-vector-by-program",
	      is(&int14, SIGSEGV, SI_KERNEL, VECTOR_GP) &&
		      (int14.error & 7) == IN_INTERRUPT_TABLE);
	control("no-vector-by-program", report_of(store_to_null).vector == 14);
	claim("two-divisions",
	      is(&zero, SIGFPE, FPE_INTDIV, VECTOR_DE) &&
		      is(&minimum, SIGFPE, FPE_INTDIV, VECTOR_DE));
	control("two-divisions", report_of(divide_by_one).signal == 0);
	strict_claim("floats-unmasked",
		     is(&unmasked, SIGFPE, FPE_FLTDIV, VECTOR_XM),
		     masked.signal == 0);
}

/* Signals that no fault has caused. */
static void raise_segv(void)
{
	raise(SIGSEGV);
}

static void kill_self(void)
{
	kill(getpid(), SIGSEGV);
	for (;;)
		pause();
}

static void alarm_self(void)
{
	const struct itimerval soon = { .it_value = { 0, 1000 } };

	must(setitimer(ITIMER_REAL, &soon, NULL));
	for (;;)
		pause();
}

/* A signal to @pid that claims to come from a fault. */
static int forge(pid_t pid, int sig)
{
	siginfo_t info = { .si_signo = sig, .si_code = SEGV_MAPERR };

	return errno_of(syscall(SYS_rt_sigqueueinfo, pid, sig, &info));
}

static void forge_to_self(void)
{
	forge(getpid(), SIGSEGV);
}

static void without_fault(void)
{
	struct report fault = report_of(store_to_null), raised, again, killed;
	struct report timer, forged;
	pid_t child;
	int error;

	raised = show("raise(SIGSEGV) after a #PF", raise_segv);
	report_of(undefined);
	again = show("raise(SIGSEGV) after a #UD", raise_segv);
	killed = show("kill(SIGSEGV) to itself", kill_self);
	timer = show("setitimer(2), a timer interrupt", alarm_self);
	forged = show("rt_sigqueueinfo(2) to itself", forge_to_self);
	claim("stale-vector", raised.vector == VECTOR_PF &&
				      again.vector == VECTOR_UD &&
				      timer.vector == VECTOR_UD);
	control("stale-vector", report_of(divide_by_zero).vector == VECTOR_DE);
	claim("code-tells", raised.code == SI_TKILL && killed.code == SI_USER);
	control("code-tells", fault.code > 0);

	child = fork_tied();
	if (child == 0)
		pause();
	error = forge(child, 0);
	reap(child, 0);
	printf("%-32s %s\n", "rt_sigqueueinfo(2) to another",
	       errno_name(error));
	claim("no-forgery", error == EPERM);
	control("no-forgery", forged.code == SEGV_MAPERR);
}

/* All interrupts that the machine has served; 0 if it does not tell. */
static unsigned long long interrupts(void)
{
	FILE *file = fopen("/proc/stat", "re");
	unsigned long long count = 0;
	char line[256];

	while (file && !count && fgets(line, sizeof(line), file))
		sscanf(line, "intr %llu", &count);
	if (file)
		fclose(file);
	return count;
}

enum { ENOUGH = 200 };
static unsigned long long served;

static void compute(void)
{
	unsigned long long start = interrupts();
	uint64_t deadline = now_ns() + DEADLINE_MS * 1000000ull;

	do
		served = interrupts() - start;
	while (served < ENOUGH && now_ns() < deadline);
}

static long minor_faults_of(void (*act)(void))
{
	struct rusage before, after;

	must(getrusage(RUSAGE_SELF, &before));
	act();
	must(getrusage(RUSAGE_SELF, &after));
	return after.ru_minflt - before.ru_minflt;
}

static void without_signal(void)
{
	struct report computed;
	long first, second;

	fresh = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	madvise((void *)fresh, PAGES * PAGE, MADV_NOHUGEPAGE);
	first = minor_faults_of(store_to_fresh);
	second = minor_faults_of(store_to_fresh);
	printf("%d new pages: %ld page faults, then %ld, no signal\n", PAGES,
	       first, second);
	claim("mended-silently", first >= PAGES);
	control("mended-silently", second < PAGES);

	computed = report_of(compute);
	printf("while computing: %llu interrupts, %s\n", served,
	       computed.signal ? "a signal" : "no signal");
	if (served < ENOUGH) {
		claim_skip("interrupts-passed-on", "a count of interrupts",
			   "none in /proc/stat", "run it on the host");
		return;
	}
	refuted("interrupts-passed-on", computed.signal != 0);
	control("interrupts-passed-on", report_of(undefined).signal == SIGILL);
}

/* A handler that mends the page when it is asked for the @mend_at-th time. */
static int asked, mend_at;

static void on_mend(int sig)
{
	(void)sig;
	if (++asked == mend_at)
		mprotect((void *)read_only, PAGE, PROT_READ | PROT_WRITE);
}

static int times_asked(int mend)
{
	struct sigaction action = { .sa_handler = on_mend }, old;

	asked = 0;
	mend_at = mend;
	must(mprotect((void *)read_only, PAGE, PROT_READ));
	must(sigaction(SIGSEGV, &action, &old));
	store(read_only);
	must(sigaction(SIGSEGV, &old, NULL));
	return asked;
}

static int ignore_and(void *act)
{
	must(prctl(PR_SET_DUMPABLE, 0));
	signal(SIGSEGV, SIG_IGN);
	(*(void (**)(void))act)();
	return 0;
}

static void who_handles(void)
{
	void (*fault)(void) = store_to_null, (*sent)(void) = raise_segv;
	int once = times_asked(1), thrice = times_asked(3), status, harmless;

	printf("calls of a handler that mends the page at once: %d, "
	       "at the third call: %d\n",
	       once, thrice);
	claim("process-mends", once == 1);
	control("process-mends", thrice == 3);

	status = spawn_fn(ignore_and, &fault, DEADLINE_MS).status;
	harmless = spawn_fn(ignore_and, &sent, DEADLINE_MS).status;
	printf("SIGSEGV ignored: a fault %s, raise(SIGSEGV) %s\n",
	       WIFSIGNALED(status) ? "kills" : "does nothing",
	       WIFSIGNALED(harmless) ? "kills" : "does nothing");
	claim("not-to-be-ignored",
	      WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	control("not-to-be-ignored",
		WIFEXITED(harmless) && WEXITSTATUS(harmless) == 0);
}

static void demo(void)
{
	printf("%-32s %-8s %-12s %-8s %6s  %s\n", "Faults", "signal", "code",
	       "vector", "error", "address");
	page_faults();
	other_addresses();
	instructions();
	puts("\nSignals without a fault");
	without_fault();
	puts("\nFaults and interrupts without a signal");
	without_signal();
	puts("\nWho has the last word");
	who_handles();
}

const struct lab lab = {
	.name = "fault_to_signal",
	.demo = demo,
};
