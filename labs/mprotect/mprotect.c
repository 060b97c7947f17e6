// SPDX-License-Identifier: MIT
/*
 * mprotect - why would a process protect memory against itself?
 *
 * First the rules of the call and of the fault, then four answers: a guard
 * page, a JIT's page, the program's own RELRO, and a write barrier that finds
 * what changed since a checkpoint. At the end, what protection does not stop.
 */
#include "mprotect.h"

#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kernel.h"
#include "common/lab.h"
#include "common/spawn.h"

/* Newer than the headers of some distributions. */
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

enum { READ_WRITE = PROT_READ | PROT_WRITE, PAGES = BARRIER_MAX };

static void *map_pages(size_t pages, int protection)
{
	return must(mmap(NULL, pages * PAGE, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void protect(void *at, size_t pages, int protection)
{
	must(mprotect(at, pages * PAGE, protection));
}

/* Installs @handler for SIGSEGV; returns what was there before. */
static struct sigaction on_segv(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction old,
		action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	must(sigaction(SIGSEGV, &action, &old));
	return old;
}

/* One attempt: where to go on after a fault, and what the fault said. */
static struct {
	sigjmp_buf resume;
	siginfo_t info;
} attempt;

static void end_attempt(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	attempt.info = *info;
	siglongjmp(attempt.resume, 1);
}

/* The si_code of the SIGSEGV that @act(@at) raises, or 0. */
static int fault_of(void (*act)(volatile char *at), void *at)
{
	struct sigaction old = on_segv(end_attempt);

	attempt.info = (siginfo_t){ 0 };
	if (sigsetjmp(attempt.resume, true) == 0)
		act(at);
	must(sigaction(SIGSEGV, &old, NULL));
	return attempt.info.si_code;
}

static void load(volatile char *at)
{
	(void)*at;
}

static void store(volatile char *at)
{
	/* cppcheck-suppress selfAssignment */
	*at = *at;
}

int load_fault(void *at)
{
	return fault_of(load, at);
}

int store_fault(void *at)
{
	return fault_of(store, at);
}

static const char *fault_name(int code)
{
	return code == 0	     ? "no signal"
	       : code == SEGV_ACCERR ? "SEGV_ACCERR"
	       : code == SEGV_MAPERR ? "SEGV_MAPERR"
				     : "another code";
}

int count_vmas(FILE *maps, uintptr_t from, uintptr_t to)
{
	char line[512];
	uintptr_t start, end;
	int count = 0;

	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			count += start < to && end > from;
	return count;
}

static int vmas_of(const void *at, size_t pages)
{
	FILE *maps = must_ptr(fopen("/proc/self/maps", "re"));
	int count =
		count_vmas(maps, (uintptr_t)at, (uintptr_t)at + pages * PAGE);

	fclose(maps);
	return count;
}

static void which_pages(void)
{
	char *at = map_pages(3, READ_WRITE);

	must(mprotect(at, PAGE + 1, PROT_READ));
	printf("%-28s %s, %s, %s\n",
	       "a store to each of 3 pages:", fault_name(store_fault(at)),
	       fault_name(store_fault(at + PAGE)),
	       fault_name(store_fault(at + 2 * PAGE)));
	claim("end-is-rounded-up",
	      store_fault(at + 2 * PAGE - 1) == SEGV_ACCERR);
	control("end-is-rounded-up", store_fault(at + 2 * PAGE) == 0);
	must(munmap(at, 3 * PAGE));

	at = map_pages(1, READ_WRITE);
	printf("%-28s %s\n", "mprotect of byte 1 alone:",
	       errno_name(errno_of(mprotect(at + 1, 1, PROT_READ))));
	refuted("any-part-will-do",
		errno_of(mprotect(at + 1, 1, PROT_READ)) != EINVAL);
	control("any-part-will-do", errno_of(mprotect(at, 1, PROT_READ)) == 0 &&
					    store_fault(at) == SEGV_ACCERR);
	must(munmap(at, PAGE));
}

static void over_a_hole(void)
{
	char *at = map_pages(3, READ_WRITE);
	int whole = errno_of(mprotect(at, 3 * PAGE, PROT_READ));
	int behind = store_fault(at + 2 * PAGE), error;

	control("stops-at-hole", whole == 0 && behind == SEGV_ACCERR);
	protect(at, 3, READ_WRITE);
	must(munmap(at + PAGE, PAGE));
	error = errno_of(mprotect(at, 3 * PAGE, PROT_READ));
	printf("%-28s %s; before the hole %s, behind it %s\n",
	       "mprotect over a hole:", errno_name(error),
	       fault_name(store_fault(at)),
	       fault_name(store_fault(at + 2 * PAGE)));
	claim("stops-at-hole", error == ENOMEM &&
				       store_fault(at) == SEGV_ACCERR &&
				       store_fault(at + 2 * PAGE) == 0);
	must(munmap(at, 3 * PAGE));
}

static void splitting(void)
{
	char *at = map_pages(3, READ_WRITE);
	int split, merged;

	protect(at + PAGE, 1, PROT_READ);
	split = vmas_of(at, 3);
	protect(at + PAGE, 1, READ_WRITE);
	merged = vmas_of(at, 3);
	printf("%-28s %d mappings, opened again %d\n",
	       "middle of 3 pages protected:", split, merged);
	claim("splits-the-mapping", split == 3);
	control("splits-the-mapping", merged == 1);
	must(munmap(at, 3 * PAGE));
}

/* What mprotect returns where a filter answers the call with ENOANO. */
static int protect_filtered(void *at)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOANO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
		return LAB_SKIP;
	return errno_of(mprotect(at, PAGE, PROT_READ));
}

static void through_the_wrapper(void)
{
	void *at = map_pages(1, READ_WRITE);
	int error = WEXITSTATUS(spawn_fn(protect_filtered, at, 5000).status);

	if (error == LAB_SKIP) {
		claim_skip("wrapper-makes-the-call", "a seccomp filter", "none",
			   "a kernel with CONFIG_SECCOMP_FILTER");
		return;
	}
	claim("wrapper-makes-the-call", error == ENOANO);
	control("wrapper-makes-the-call",
		errno_of(mprotect(at, PAGE, PROT_READ)) == 0);
	must(munmap(at, PAGE));
}

static void which_fault(void)
{
	char *at = map_pages(2, READ_WRITE);
	int open = store_fault(at), closed, gone, unwritten;
	bool is_exact;

	protect(at, 1, PROT_READ);
	closed = store_fault(at + 100);
	is_exact = attempt.info.si_addr == at + 100;
	printf("%-28s load %s, store %s\n",
	       "PROT_READ:", fault_name(load_fault(at)), fault_name(closed));
	claim("violation-is-sigsegv",
	      closed == SEGV_ACCERR && is_exact && load_fault(at) == 0);
	control("violation-is-sigsegv", open == 0);

	protect(at, 1, PROT_NONE);
	unwritten = load_fault(at);
	printf("%-28s load %s, store %s\n", "PROT_NONE:", fault_name(unwritten),
	       fault_name(store_fault(at)));
	protect(at, 1, PROT_WRITE);
	printf("%-28s load %s, store %s\n",
	       "PROT_WRITE:", fault_name(load_fault(at)),
	       fault_name(store_fault(at)));
	claim("write-implies-read", load_fault(at) == 0);
	control("write-implies-read", unwritten == SEGV_ACCERR);

	must(munmap(at, PAGE));
	gone = store_fault(at);
	printf("%-28s load %s, store %s\n",
	       "unmapped:", fault_name(load_fault(at)), fault_name(gone));
	claim("unmapped-is-maperr", gone == SEGV_MAPERR);
	control("unmapped-is-maperr", closed == SEGV_ACCERR);
	must(munmap(at + PAGE, PAGE));
}

/* One byte too many for a buffer of a page. */
static void overflow(volatile char *buffer)
{
	for (int i = 0; i <= PAGE; i++)
		buffer[i] = 'x';
}

static void guard_page(void)
{
	char *at = map_pages(3, READ_WRITE), *neighbour = at + PAGE;
	int silent = fault_of(overflow, at), loud;

	control("guard-page", silent == 0 && *neighbour == 'x');
	neighbour = at + 2 * PAGE;
	protect(at + PAGE, 1, PROT_NONE);
	loud = fault_of(overflow, at);
	printf("%-28s %s, with a guard page %s\n",
	       "one byte too many:", fault_name(silent), fault_name(loud));
	claim("guard-page", loud == SEGV_ACCERR && *neighbour == 0 &&
				    attempt.info.si_addr == at + PAGE);
	must(munmap(at, 3 * PAGE));
}

/* The return value of the code that call() last ran. */
static int returned;

__attribute__((no_sanitize("undefined"))) static void call(volatile char *at)
{
	returned = ((int (*)(void))(uintptr_t)at)();
}

static void jit_page(void)
{
	/* mov $42, %eax; ret */
	static const char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *at = map_pages(1, READ_WRITE);
	int early, late;

	memcpy(at, code, sizeof(code));
	early = fault_of(call, at);
	if (mprotect(at, PAGE, PROT_READ | PROT_EXEC) == -1) {
		claim_skip("write-xor-execute", "making a page executable",
			   errno_name(errno), "a policy that allows it");
		return;
	}
	late = fault_of(call, at);
	printf("%-28s writable: call %s; executable: returns %d, store %s\n",
	       "generated code:", fault_name(early), returned,
	       fault_name(store_fault(at)));
	claim("write-xor-execute",
	      late == 0 && returned == 42 && store_fault(at) == SEGV_ACCERR);
	protect(at, 1, READ_WRITE);
	control("write-xor-execute",
		early == SEGV_ACCERR && store_fault(at) == 0);
	must(munmap(at, PAGE));
}

/* The last whole page of RELRO, and the rights its segment is loaded with. */
struct relro {
	char *page;
	unsigned int flags;
};

static int find_relro(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct relro *relro = arg;
	uintptr_t start = 0, end = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
			start = info->dlpi_phdr[i].p_vaddr / PAGE * PAGE;
			end = info->dlpi_phdr[i].p_vaddr +
			      info->dlpi_phdr[i].p_memsz;
			end = end / PAGE * PAGE;
		}
	for (int i = 0; end > start && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && p->p_vaddr < end &&
		    p->p_vaddr + p->p_memsz >= end) {
			relro->page = (char *)info->dlpi_addr + end - PAGE;
			relro->flags = p->p_flags;
		}
	}
	return 1; /* the first is the program itself */
}

static void own_tables(void)
{
	static char data = 1;
	struct relro relro = { 0 };

	dl_iterate_phdr(find_relro, &relro);
	if (!relro.page) {
		claim_skip("relro", "a program with PT_GNU_RELRO", "none",
			   "link with -z relro");
		return;
	}
	printf("%-28s loaded %s, store %s\n", "RELRO of this program:",
	       relro.flags & PF_W ? "writable" : "read-only",
	       fault_name(store_fault(relro.page)));
	claim("relro",
	      relro.flags & PF_W && store_fault(relro.page) == SEGV_ACCERR);
	control("relro", store_fault(&data) == 0);
}

/* The armed barrier, and who had SIGSEGV before it. */
static struct barrier *armed;
static struct sigaction before_armed;

long barrier_page(const struct barrier *b, const void *at)
{
	/* Below the base this wraps around and is too large as well. */
	size_t page = ((uintptr_t)at - (uintptr_t)b->base) / PAGE;

	return page < b->pages ? (long)page : -1;
}

static void open_page(int sig, siginfo_t *info, void *context)
{
	long page = barrier_page(armed, info->si_addr);
	int error = errno;

	(void)sig;
	(void)context;
	/* Anyone else's fault happens again, to whom it belongs. */
	if (page == -1 ||
	    mprotect(armed->base + page * PAGE, PAGE, READ_WRITE) == -1) {
		sigaction(SIGSEGV, &before_armed, NULL);
		return;
	}
	armed->dirty[page] = true;
	armed->faults++;
	errno = error;
}

void barrier_arm(struct barrier *b, void *base, size_t pages)
{
	*b = (struct barrier){ .base = base, .pages = pages };
	armed = b;
	before_armed = on_segv(open_page);
	protect(base, pages, PROT_READ);
}

void barrier_disarm(struct barrier *b)
{
	protect(b->base, b->pages, READ_WRITE);
	must(sigaction(SIGSEGV, &before_armed, NULL));
	armed = NULL;
}

/* A program at work: writes some of the pages, a few of them twice. */
static size_t work(volatile char *at, bool wrote[PAGES])
{
	size_t distinct = 0;

	memset(wrote, 0, PAGES * sizeof(*wrote));
	for (size_t i = 0; i < 100; i++) {
		size_t page = i * i % PAGES;

		at[page * PAGE + i]++;
		distinct += !wrote[page];
		wrote[page] = true;
	}
	return distinct;
}

static bool is_same_set(const struct barrier *b, const bool wrote[PAGES])
{
	for (size_t i = 0; i < PAGES; i++)
		if (b->dirty[i] != wrote[i])
			return false;
	return true;
}

static void checkpoint(void)
{
	static struct barrier b;
	bool wrote[PAGES];
	char *at = map_pages(PAGES, READ_WRITE);
	size_t distinct, first, again;

	barrier_arm(&b, at, PAGES);
	distinct = work(at, wrote);
	first = b.faults;
	printf("100 writes to %zu pages of %d: %zu faults, %d mappings\n",
	       distinct, PAGES, first, vmas_of(at, PAGES));
	claim("finds-dirty-pages", is_same_set(&b, wrote));
	work(at, wrote);
	again = b.faults;
	printf("the same 100 writes again: %zu faults more\n", again - first);
	claim("faults-once-a-page", first == distinct && again == first);

	protect(at, PAGES, PROT_READ); /* the next checkpoint */
	work(at, wrote);
	control("faults-once-a-page", b.faults == 2 * distinct);
	barrier_disarm(&b);

	barrier_arm(&b, at, PAGES);
	protect(at, PAGES, READ_WRITE);
	work(at, wrote);
	control("finds-dirty-pages", b.faults == 0 && !is_same_set(&b, wrote));
	barrier_disarm(&b);
	must(munmap(at, PAGES * PAGE));
}

/* All pages written in a random order, in batches; the best of rounds. */
enum { BATCHES = 32, BATCH = PAGES / BATCHES, ROUNDS = 7 };

struct sweep {
	const char *name;
	uint64_t ns[BATCHES];
	int vmas[BATCHES];
	int most_vmas;
};

static uint64_t total(const struct sweep *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < BATCHES; i++)
		sum += s->ns[i];
	return sum;
}

/* A page for each step from 0 to 1023, each once, without a pattern. */
static size_t shuffled(size_t step)
{
	for (int i = 0; i < 3; i++) {
		step = (step * 421 + 97) % PAGES;
		step ^= step >> 5;
	}
	return step;
}

static void sweep(struct sweep *s, volatile char *at)
{
	for (size_t batch = 0; batch < BATCHES; batch++) {
		uint64_t start = now_ns(), ns;
		int vmas;

		for (size_t i = 0; i < BATCH; i++)
			at[shuffled(batch * BATCH + i) * PAGE] = 1;
		ns = now_ns() - start;
		vmas = vmas_of((const void *)at, PAGES);
		if (!s->ns[batch] || ns < s->ns[batch])
			s->ns[batch] = ns;
		s->vmas[batch] = vmas;
		if (vmas > s->most_vmas)
			s->most_vmas = vmas;
	}
}

/* Memory that is there, so that the first write costs no page fault. */
static void *resident_memory(void)
{
	return memset(map_pages(PAGES, READ_WRITE), 1, PAGES * PAGE);
}

static void sweep_protected(struct sweep *first, struct sweep *second)
{
	static struct barrier b;

	for (int round = 0; round < ROUNDS; round++) {
		void *at = resident_memory();

		barrier_arm(&b, at, PAGES);
		sweep(first, at);
		sweep(second, at);
		barrier_disarm(&b);
		must(munmap(at, PAGES * PAGE));
	}
}

static void sweep_open(struct sweep *first)
{
	for (int round = 0; round < ROUNDS; round++) {
		void *at = resident_memory();

		sweep(first, at);
		must(munmap(at, PAGES * PAGE));
	}
}

/* A userfaultfd that write-protects the pages at @at; -1 where none can. */
static int watch_writes(void *at)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register area = { .range = { (uintptr_t)at,
						   PAGES * PAGE },
					.mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect close_all = {
		.range = area.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP
	};

	if (fd == -1)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api) == -1 ||
	    ioctl(fd, UFFDIO_REGISTER, &area) == -1 ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &close_all) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Opens each page at its first write, until all have been. A process of its
 * own: if it failed, its end would release the writer, and a thread's not.
 */
static _Noreturn void serve_writes(int fd)
{
	struct pollfd wait = { fd, POLLIN, 0 };
	struct uffd_msg msg;

	for (int pages = 0; pages < PAGES; pages++) {
		struct uffdio_writeprotect open_one = { 0 };

		if (poll(&wait, 1, 5000) != 1 ||
		    read(fd, &msg, sizeof(msg)) != sizeof(msg) ||
		    msg.event != UFFD_EVENT_PAGEFAULT)
			_exit(LAB_BROKEN);
		open_one.range.start = msg.arg.pagefault.address / PAGE * PAGE;
		open_one.range.len = PAGE;
		if (ioctl(fd, UFFDIO_WRITEPROTECT, &open_one) == -1)
			_exit(LAB_BROKEN);
	}
	_exit(0);
}

/* Whether every round reported every page; -1 where there is no such call. */
static int sweep_watched(struct sweep *first)
{
	bool is_complete = true;

	for (int round = 0; round < ROUNDS; round++) {
		void *at = resident_memory();
		int fd = watch_writes(at);
		pid_t server;

		if (fd == -1)
			return -1;
		/* A copy in the server would make each write copy a page. */
		must(madvise(at, PAGES * PAGE, MADV_DONTFORK));
		server = fork_tied();
		if (server == 0)
			serve_writes(fd);
		close(fd);
		sweep(first, at);
		is_complete &= reap(server, 5000) == 0;
		must(munmap(at, PAGES * PAGE));
	}
	return is_complete;
}

static void report_sweep(const struct sweep *s)
{
	char series[32];

	printf("%-28s %8.0f ns a write, %4d mappings at most\n", s->name,
	       (double)total(s) / PAGES, s->most_vmas);
	snprintf(series, sizeof(series), "cost-%s", s->name);
	for (int i = 0; i < BATCHES; i++)
		point(series, (i + 1) * BATCH, (double)s->ns[i] / BATCH);
	snprintf(series, sizeof(series), "vmas-%s", s->name);
	for (int i = 0; i < BATCHES; i++)
		point(series, (i + 1) * BATCH, s->vmas[i]);
}

static void price(void)
{
	struct sweep first = { .name = "mprotect" }, second = { .name = "" };
	struct sweep open = { .name = "none" }, watched = { .name = "uffd" };
	int is_complete;

	sweep_protected(&first, &second);
	sweep_open(&open);
	printf("the second write to an opened page: %.0f ns\n",
	       (double)total(&second) / PAGES);
	puts("the first write, and the mappings on the way:");
	report_sweep(&open);
	report_sweep(&first);
	claim("first-write-is-dear", total(&first) > 3 * total(&second));
	control("first-write-is-dear", total(&open) < total(&first) / 3);

	is_complete = sweep_watched(&watched);
	if (is_complete == -1) {
		claim_skip("uffd-keeps-one-mapping",
			   "userfaultfd(2) with write protection",
			   errno_name(errno),
			   "a kernel with CONFIG_USERFAULTFD, on x86");
		return;
	}
	report_sweep(&watched);
	claim("uffd-keeps-one-mapping", is_complete && watched.most_vmas == 1);
	control("uffd-keeps-one-mapping", first.most_vmas > PAGES / 4);
}

static void kernel_stores(volatile char *at)
{
	int fd = must(open("/dev/zero", O_RDONLY | O_CLOEXEC));

	returned = errno_of(read(fd, (void *)at, 1));
	close(fd);
}

static void through_a_call(void)
{
	char *at = map_pages(1, READ_WRITE);
	int open_error, code;

	fault_of(kernel_stores, at);
	open_error = returned;
	protect(at, 1, PROT_READ);
	code = fault_of(kernel_stores, at);
	printf("%-28s %s, %s\n",
	       "read(2) into PROT_READ:", errno_name(returned),
	       fault_name(code));
	claim("syscall-gets-efault", returned == EFAULT);
	control("syscall-gets-efault", open_error == 0);
	refuted("always-a-signal", code == SEGV_ACCERR);
	control("always-a-signal", store_fault(at) == SEGV_ACCERR);
	must(munmap(at, PAGE));
}

/* Write one byte to @at through /proc/self/mem; the errno of it. */
static int poke(int mem, char *at)
{
	return errno_of(pwrite(mem, "p", 1, (off_t)(uintptr_t)at));
}

static void through_proc(void)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char *read_only = map_pages(1, PROT_READ);
	char *none = map_pages(1, PROT_NONE);
	char *shared = must(
		mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	int read_only_error, none_error, shared_error;

	read_only_error = mem == -1 ? errno : poke(mem, read_only);
	if (mem == -1 || read_only_error == EIO) {
		claim_skip("proc-mem-writes", "/proc/self/mem that overrides",
			   errno_name(read_only_error),
			   "boot with proc_mem.force_override=always");
		return;
	}
	none_error = poke(mem, none);
	shared_error = poke(mem, shared);
	close(mem);
	protect(none, 1, PROT_READ);
	printf("%-28s PROT_READ '%c', PROT_NONE '%c', shared %s\n",
	       "written by /proc/self/mem:", *read_only ?: '-', *none ?: '-',
	       errno_name(shared_error));
	claim("proc-mem-writes", read_only_error == 0 && none_error == 0 &&
					 *read_only == 'p' && *none == 'p' &&
					 store_fault(read_only) == SEGV_ACCERR);
	control("proc-mem-writes", shared_error == EIO && *shared == 0);
	must(munmap(read_only, PAGE));
	must(munmap(none, PAGE));
	must(munmap(shared, PAGE));
}

/* A sealed page stays until the process ends; so does this one. */
static void against_itself(void)
{
	char *at = map_pages(1, PROT_READ);
	int seal_error = errno_of(syscall(SYS_mseal, at, PAGE, 0)), error;

	if (seal_error && kernel_since(6, 10)) {
		claim_skip("mseal-ends-it", "mseal(2)", errno_name(seal_error),
			   "run it outside of valgrind or a container");
		return;
	}
	error = errno_of(mprotect(at, PAGE, READ_WRITE));
	printf("%-28s %s, then mprotect %s\n", "mseal:", errno_name(seal_error),
	       errno_name(error));
	if (kernel_since(6, 10))
		claim("mseal-ends-it",
		      error == EPERM && store_fault(at) == SEGV_ACCERR);
	else
		claim("mseal-ends-it", seal_error == ENOSYS && error == 0);
	at = map_pages(1, PROT_READ);
	control("mseal-ends-it",
		errno_of(mprotect(at, PAGE, READ_WRITE)) == 0 &&
			store_fault(at) == 0);
	must(munmap(at, PAGE));
}

static void demo(void)
{
	/* Splitting a huge page would be another story. */
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));

	puts("The call");
	which_pages();
	over_a_hole();
	splitting();
	through_the_wrapper();
	puts("\nThe fault");
	which_fault();
	puts("\nAgainst mistakes and attackers");
	guard_page();
	jit_page();
	own_tables();
	puts("\nTo see one's own writes");
	checkpoint();
	price();
	puts("\nWhat protection does not stop, and what stops it");
	through_a_call();
	through_proc();
	against_itself();
}

const struct lab lab = {
	.name = "mprotect",
	.demo = demo,
};
