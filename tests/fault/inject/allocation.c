/* allocation.c - malloc and its kin: counted, and made to fail; and who the callers were.
 *
 * glibc's own functions (strdup, getaddrinfo, fopen, ...) call the malloc that is found first,
 * which is this one. */
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include "control.h"

/* The allocator below us. Not by dlsym, which allocates. */
void *__libc_malloc(size_t octets);
void *__libc_calloc(size_t count, size_t octets);
void *__libc_realloc(void *block, size_t octets);
void *__libc_memalign(size_t alignment, size_t octets);
void __libc_free(void *block);

/* What a large block that was just freed can serve without asking the system. The tested program
 * relies on it for libraries that do not survive without (base/reserve.h), so theirs do not fail as
 * long as it lasts. Ends when the process waits. */
enum { LARGE = 98304, OVERHEAD = 32 };
static _Atomic int64_t reserve;

/* Where the code of these libraries is, and of the program. */
struct object {
	uint64_t begin, end;
	bool is_fragile;
};
static struct object objects[8];
static size_t object_count;

/* Whether this thread is looking for callers; whatever that allocates is not counted. */
static _Thread_local bool unwinding __attribute__((tls_model("initial-exec")));

static atomic_flag table_lock = ATOMIC_FLAG_INIT;

/* ---- callers ---- */

struct walk {
	uint64_t *frames;
	uint64_t count, room, skip;
};

static _Unwind_Reason_Code
take_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;

	if (walk->skip > 0) {
		walk->skip--;
		return _URC_NO_REASON;
	}
	if (walk->count == walk->room)
		return _URC_END_OF_STACK;
	walk->frames[walk->count++] = (uint64_t) _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

/* Writes the callers of our caller's caller. Returns how many. */
static uint64_t
callers(uint64_t *frames, uint64_t room)
{
	struct walk walk = { .frames = frames, .room = room, .skip = 2 };

	unwinding = true;
	_Unwind_Backtrace(take_frame, &walk);
	unwinding = false;
	return walk.count;
}

static int
note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	bool is_fragile = strstr(info->dlpi_name, "/libetpan") != NULL ||
			  strstr(info->dlpi_name, "/libuv") != NULL;

	(void) size;
	(void) arg;
	for (int i = 0; i < info->dlpi_phnum && (is_fragile || info->dlpi_name[0] == '\0'); i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uint64_t begin = info->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
			continue;
		if (object_count < sizeof(objects) / sizeof(objects[0]))
			objects[object_count++] =
			    (struct object){ begin, begin + part->p_memsz, is_fragile };
	}
	return 0;
}

__attribute__((constructor)) static void
find_objects(void)
{
	dl_iterate_phdr(note_object, NULL);
}

/* Whether the nearest caller that is the program's or a fragile library's is the latter. */
static bool
is_fragile_caller(void)
{
	uint64_t frames[FRAMES];
	uint64_t count = callers(frames, FRAMES);

	for (uint64_t i = 0; i < count; i++)
		for (size_t k = 0; k < object_count; k++)
			if (frames[i] >= objects[k].begin && frames[i] < objects[k].end)
				return objects[k].is_fragile;
	return false;
}

/* ---- what is allocated ---- */

static void
lock_table(void)
{
	while (atomic_flag_test_and_set_explicit(&table_lock, memory_order_acquire))
		;
}

static void
unlock_table(void)
{
	atomic_flag_clear_explicit(&table_lock, memory_order_release);
}

static size_t
slot_of(uint64_t address)
{
	return (size_t) ((address >> 4) * 0x9e3779b97f4a7c15u >> 50) % RECORDS;
}

static void
record(void *block, size_t octets)
{
	struct record *free_slot = NULL;
	uint64_t address = (uint64_t) block;

	lock_table();
	for (size_t i = 0; i < RECORDS && free_slot == NULL; i++) {
		struct record *r = &control->records[(slot_of(address) + i) % RECORDS];

		if (r->address <= 1)
			free_slot = r;
	}
	if (free_slot == NULL) {
		control->records_lost++;
	} else {
		memset(free_slot, 0, sizeof(*free_slot));
		free_slot->address = address;
		free_slot->octets = octets;
		free_slot->number = control->allocations;
		callers(free_slot->frames, RECORD_FRAMES);
	}
	unlock_table();
}

static void
forget(const void *block)
{
	uint64_t address = (uint64_t) block;

	lock_table();
	for (size_t i = 0; i < RECORDS; i++) {
		struct record *r = &control->records[(slot_of(address) + i) % RECORDS];

		if (r->address == 0)
			break;
		if (r->address == address) {
			r->address = 1;
			break;
		}
	}
	unlock_table();
}

static void
note_new(void *block)
{
	if (block == NULL || control == NULL || unwinding)
		return;
	control->live++;
	control->live_octets += (int64_t) malloc_usable_size(block);
	if (control->trace != 0)
		record(block, malloc_usable_size(block));
}

static void
note_gone(void *block)
{
	if (block == NULL || control == NULL || unwinding)
		return;
	if (malloc_usable_size(block) >= LARGE)
		reserve = (int64_t) malloc_usable_size(block);
	control->live--;
	control->live_octets -= (int64_t) malloc_usable_size(block);
	if (control->trace != 0)
		forget(block);
}

/* ---- failing ---- */

static bool
is_meant(void)
{
	if (control->threads == THREADS_ALL)
		return true;
	return (control->threads == THREADS_MAIN) == (getpid() == (pid_t) syscall(SYS_gettid));
}

int
allocation_fails(size_t octets)
{
	uint64_t number;

	if (control == NULL || unwinding || control->armed == 0 || !is_meant())
		return 0;
	if (reserve > 0 && (reserve -= (int64_t) octets + OVERHEAD) >= 0 && is_fragile_caller())
		return 0;
	number = ++control->allocations;
	if (control->fail_from == 0 || number < control->fail_from ||
	    number - control->fail_from >= control->fail_times)
		return 0;
	if (control->failed++ == 0)
		control->frame_count = callers(control->frames, FRAMES);
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t octets)
{
	void *block;

	if (allocation_fails(octets))
		return NULL;
	block = __libc_malloc(octets);
	note_new(block);
	return block;
}

void *
calloc(size_t count, size_t octets)
{
	void *block;

	if (allocation_fails(count * octets))
		return NULL;
	block = __libc_calloc(count, octets);
	note_new(block);
	return block;
}

void *
realloc(void *old, size_t octets)
{
	void *block;

	if (allocation_fails(octets))
		return NULL;
	note_gone(old);
	block = __libc_realloc(old, octets);
	if (block != NULL || octets == 0)
		note_new(block);
	else
		note_new(old);
	return block;
}

void
free(void *block)
{
	int saved = errno;

	note_gone(block);
	__libc_free(block);
	errno = saved;
}

void *
memalign(size_t alignment, size_t octets)
{
	void *block;

	if (allocation_fails(octets))
		return NULL;
	block = __libc_memalign(alignment, octets);
	note_new(block);
	return block;
}

void *
aligned_alloc(size_t alignment, size_t octets)
{
	return memalign(alignment, octets);
}

int
posix_memalign(void **out, size_t alignment, size_t octets)
{
	void *block;

	if ((block = memalign(alignment, octets)) == NULL)
		return ENOMEM;
	*out = block;
	return 0;
}

/* Stacks of fibers, and what libraries map. What malloc maps for itself does not come by here. */
void *
mmap(void *address, size_t octets, int protection, int flags, int fd, off_t offset)
{
	if (allocation_fails(octets))
		return MAP_FAILED;
	return (void *) syscall(SYS_mmap, address, octets, protection, flags, fd, offset);
}

int
mprotect(void *address, size_t octets, int protection)
{
	if (allocation_fails(octets))
		return -1;
	return (int) syscall(SYS_mprotect, address, octets, protection);
}

/* ---- waiting ---- */

int
epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *signals)
{
	reserve = 0;
	return (int) syscall(
	    SYS_epoll_pwait, epoll, events, room, timeout, signals, (size_t) (NSIG / 8));
}

int
epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
	return epoll_pwait(epoll, events, room, timeout, NULL);
}
