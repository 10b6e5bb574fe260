/* control.h - what a test and the library in the tested process tell each other: one file, mapped
 * by both. tests/fault/inject.py has the same layout.
 *
 * All words are 64 bits wide. The test writes the rules while "armed" is 0; the library counts. */
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONTROL_MAGIC = 0x706f7031,
	FRAMES = 24,	    /* callers of the first allocation that failed */
	RECORD_FRAMES = 13, /* callers of an allocation that is still there */
	RECORDS = 1 << 14,
	PATH_ROOM = 256,
};

/* Whose calls are meant. */
enum threads {
	THREADS_ALL,
	THREADS_MAIN,
	THREADS_OTHERS,
};

/* What a descriptor is: bits, so that a rule can mean several. */
enum kind {
	KIND_CLIENT = 1,   /* accepted */
	KIND_UPSTREAM = 2, /* made by socket(2) */
	KIND_PLACE = 4,	   /* a file whose name contains "path" */
	KIND_FILE = 8,	   /* any other file */
	KIND_UNKNOWN = 16,
};

/* Which calls can be made to fail. Functions of a family count as one. */
enum call {
	CALL_ACCEPT,  /* accept4 */
	CALL_SOCKET,  /* socket */
	CALL_CONNECT, /* connect; with EINTR the connection is made all the same, as POSIX has it */
	CALL_OPEN,    /* open, openat */
	CALL_READ,    /* read, pread */
	CALL_WRITE,   /* write, pwrite, writev */
	CALL_SYNC,    /* fsync, fdatasync */
	CALL_TRUNCATE,	/* ftruncate */
	CALL_SEND,	/* send, sendto, sendmsg */
	CALL_RECV,	/* recv, recvfrom, recvmsg */
	CALL_EPOLL_CTL, /* epoll_ctl, adding */
	CALL_RANDOM,	/* getrandom, getentropy */
	CALLS,
};

/* Calls FROM to FROM + TIMES - 1 of those that the rule means fail with ERROR. */
struct rule {
	_Atomic uint64_t seen;
	uint64_t from; /* the first is 1; 0: no rule */
	uint64_t times;
	_Atomic uint64_t failed;
	uint64_t error;
	uint64_t kinds; /* 0: all */
};

/* An allocation that was made while "trace" was set and has not been freed. */
struct record {
	uint64_t address; /* 0: never used; 1: freed */
	uint64_t octets;
	uint64_t number; /* of the allocation, counted by "allocations" */
	uint64_t frames[RECORD_FRAMES];
};

struct control {
	uint64_t magic;
	_Atomic uint64_t armed;
	uint64_t threads;
	_Atomic uint64_t allocations; /* while armed; mappings for stacks among them */
	uint64_t fail_from;
	uint64_t fail_times;
	_Atomic uint64_t failed;
	_Atomic int64_t live; /* blocks that are allocated, always counted */
	_Atomic int64_t live_octets;
	uint64_t trace;
	uint64_t records_lost; /* because the table was full */
	uint64_t frame_count;
	uint64_t frames[FRAMES];
	struct rule rules[CALLS];
	char path[PATH_ROOM];
	struct record records[RECORDS];
};

/* The mapped file, or NULL where there is none; then nothing fails. */
extern struct control *control __attribute__((visibility("hidden")));

/* Whether a call that is no call to malloc and its kin shall fail now, on a descriptor of KIND;
 * sets errno. */
__attribute__((visibility("hidden"))) int call_fails(enum call call, unsigned kind);

/* Whether an allocation of OCTETS shall fail now; sets errno. */
__attribute__((visibility("hidden"))) int allocation_fails(size_t octets);
