/* login_policy.h - who may have a password tried, and when a rejected one is told so.
 *
 * Three things are defended: a user's account, from guessing; the mail server, from all the guessing
 * that comes by us, for which it would block our address and with it everybody; and the user, from being
 * locked out by somebody else's guesses. So failures are counted by address (IPv4, IPv6 /64, and /48
 * with more patience) and by user, attempts under way are bounded, more narrowly where logins fail than
 * where they succeed, and failed logins have a budget. But a name and password that succeeded lately
 * pass by all of that.
 *
 * All state is one region of memory of a fixed size, without pointers: it may be shared by processes.
 * The caller holds a lock around each function that takes the region but login_policy_identify, gives
 * the time in milliseconds of a monotonic clock, and does the waiting. Whoever dies within one of these
 * functions leaves a region that can be used. Neither names nor passwords are kept, only digests by a
 * key of the region's own. Does no I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/keyed_digest.h"
#include "gateway/known_logins.h"

struct credentials;
struct login_policy; /* what a region holds */

/* Sizes, for good. Powers of 2, at least 8; as many are told apart well. */
struct login_policy_options {
	uint32_t addresses;
	uint32_t networks; /* of IPv6, /48 */
	uint32_t users;
	uint32_t known; /* names with their passwords, and with their addresses: two for a user */
	unsigned char key[KEYED_DIGEST_KEY]; /* of chance */
};

/* What an administrator may change meanwhile. */
struct login_policy_limits {
	uint64_t delay_ms;	      /* before the answer to the first failure */
	uint32_t failures_per_minute; /* at all servers */
	uint32_t failures_per_user;   /* in ten minutes, until the server is not asked any more */
};

enum login_verdict {
	LOGIN_GO,	/* ask the server; login_policy_tell is due */
	LOGIN_WAIT,	/* ask again in a while */
	LOGIN_REJECTED, /* answer as the server would, without asking it */
	LOGIN_BUSY,	/* too many attempts of this user or address are under way */
	LOGIN_OVERSPENT /* the budget of failures is used up */
};

enum login_outcome {
	LOGIN_SUCCEEDED,
	LOGIN_FAILED, /* the server rejected the credentials */
	LOGIN_EXCUSED, /* it did, but they were not those of who logs in: costs the server's budget alone */
	LOGIN_UNKNOWN /* it did not get so far */
};

/* Whose budget of failures a login is to spare. */
enum login_budget {
	LOGIN_AT_SERVER,
	LOGIN_AT_SERVICE, /* that is asked where the mail is */
	LOGIN_NOWHERE_YET /* where it will be is not known */
};

/* Where a login is tried. */
struct login_target {
	const char *upstream; /* its name */
	unsigned number;      /* of the server or service in the configuration: has a budget of its own */
	uint32_t failures_per_minute;
	enum login_budget budget;
};

/* One attempt to log in. Filled by login_policy_identify. */
struct login_attempt {
	uint64_t began;	    /* when the password had arrived */
	uint64_t answer_at; /* when anything but success may be told: after a tell, or a last verdict */
	uint64_t address, network, user; /* keys; network is 0 where there is none */
	unsigned char pair[KNOWN_DIGEST]; /* of user and password */
	unsigned char home[KNOWN_DIGEST]; /* of user and address */
	uint32_t proof;
	unsigned budget; /* which of those that the policy has */
	uint32_t budget_per_minute;
	uint16_t chance;
	bool paid;	/* has taken its share of the budgets, which it gets back unless it fails */
	bool known;	/* went by the pair's good name */
	uint32_t lease; /* until when it holds its places, if nobody tells; 0: it holds none */
};

/* Octets of a region. */
size_t login_policy_size(const struct login_policy_options *options);

/* Makes REGION, which is zeroed, aligned as by malloc, and of that size, a policy's memory. */
void login_policy_init(void *region, const struct login_policy_options *options);

void login_policy_set_limits(void *region, const struct login_policy_limits *limits);

/* Says who tries what: C's user and password from PEER, at NOW. Where a master logs in for the user, it
 * is the master's password that may be guessed, so that the master is the user here. CHANCE blurs the
 * time of the answer. Needs no lock. */
void login_policy_identify(const void *region, struct login_attempt *a,
    const struct sockaddr_storage *peer, const struct login_target *target,
    const struct credentials *c, uint16_t chance, uint64_t now);

/* What is to become of A at NOW. After LOGIN_WAIT it is asked again, about a second later at most;
 * it does not come to that for ever. */
enum login_verdict login_policy_ask(void *region, struct login_attempt *a, uint64_t now);

/* A, for which the verdict was LOGIN_GO and which nobody has rejected, is to be tried at TARGET: that
 * one's budget has to do with it from now on, and no other. As login_policy_ask, without LOGIN_REJECTED
 * and LOGIN_BUSY; login_policy_tell is due in any case. */
enum login_verdict login_policy_aim(void *region, struct login_attempt *a,
    const struct login_target *target, uint64_t now);

/* The server of A, for which the verdict was LOGIN_GO, has rejected it, but TARGET may be another
 * matter: one attempt at two servers, a failure of each one's budget, but of the user at most one.
 * Else as login_policy_aim. */
enum login_verdict login_policy_move(void *region, struct login_attempt *a,
    const struct login_target *target, uint64_t now);

/* A is refused without a look at the password, whoever has asked for that: counts as a failure of its
 * address, and sets a->answer_at. */
void login_policy_refuse(void *region, struct login_attempt *a, uint64_t now);

/* What became of A, for which the verdict was LOGIN_GO. After LOGIN_FAILED a->answer_at is set. */
void login_policy_tell(
    void *region, struct login_attempt *a, enum login_outcome outcome, uint64_t now);

/* When a failure is to be told that is known at NOW: DELAY after BEGAN, or, should that be over, at the
 * next multiple of STEP after it. So the answer does not show how long the server took. Pure. */
uint64_t login_policy_schedule(uint64_t began, uint64_t now, uint64_t delay, uint64_t step);
