/* uidl_options.h - what "popgate uidl ..." was called with, and what its commands share: configuration,
 * state store, users. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "gateway/config.h"
#include "gateway/ledger.h"
#include "gateway/migration.h"
#include "gateway/user_list.h"
#include "mapping/match.h"

struct uidl_options {
	const char *command; /* for messages: "popgate uidl import" */
	const char *config;
	const char *users;  /* a file, "-"; NULL: only those on the command line */
	const char *old;    /* names of upstreams; NULL: by each user's way */
	const char *new;
	const char *file;   /* CSV */
	const char *report; /* JSON */
	const char *csv, *html; /* of the readiness report */
	unsigned jobs;
	unsigned per_minute; /* 0: any number */
	enum match_depth depth;
	bool again;
	bool readiness;
	char **operands; /* users */
	size_t operand_count;
};

/* What a command works with. */
struct uidl_bench {
	struct config *config;
	struct migration migration;
	struct user_list users;
	struct ledger *ledger;
};

/* Loads configuration and users, and opens the ledger as whoever owns it. Says on standard error what
 * is wrong. Returns an exit status; B is to be cleared in any case. Blocks. */
int uidl_bench_prepare(struct uidl_bench *b, const struct uidl_options *o);
void uidl_bench_clear(struct uidl_bench *b);

/* Says on standard error that WHAT failed, and WHY ("": nothing more is known). Returns STATUS. */
int uidl_complain(const struct uidl_options *o, int status, const char *what, const char *why);

/* Somebody has interrupted the command: says what goes on yet; and, at the end, that LEFT users were not
 * begun. The latter returns an exit status. */
void uidl_tell_called_off(const struct uidl_options *o);
int uidl_complain_of_left(const struct uidl_options *o, size_t left);

/* Opens PATH for writing, to be closed by whoever asked. NULL after a message. */
FILE *uidl_open_output(const struct uidl_options *o, const char *path);

/* The commands. Each returns an exit status. */
int uidl_import(const struct uidl_options *o);
int uidl_verify(const struct uidl_options *o);
