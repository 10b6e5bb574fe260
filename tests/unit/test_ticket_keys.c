/* Unit tests of gateway/ticket_keys.c: what one process changes, the others see. */
#include "gateway/ticket_keys.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static void
others_see_the_same_keys(void)
{
	struct ticket_keys *keys, *others;
	struct tls_ticket_key made, found;
	struct error e;

	CU_ASSERT_EQUAL_FATAL(ticket_keys_new(&keys, &e), 0);
	CU_ASSERT_EQUAL_FATAL(
	    ticket_keys_attach(fcntl(ticket_keys_descriptor(keys), F_DUPFD_CLOEXEC, 0), &others), 0);
	tls_tickets_current(ticket_keys_tickets(keys), &made);
	CU_ASSERT_EQUAL(tls_tickets_find(ticket_keys_tickets(others), made.name, &found),
	    TLS_TICKET_CURRENT);
	CU_ASSERT_EQUAL(tls_tickets_rotate(ticket_keys_tickets(keys)), 0);
	CU_ASSERT_EQUAL(tls_tickets_find(ticket_keys_tickets(others), made.name, &found),
	    TLS_TICKET_PREVIOUS);
	/* A worker may outlive them. */
	ticket_keys_free(keys);
	CU_ASSERT_EQUAL(tls_tickets_find(ticket_keys_tickets(others), made.name, &found),
	    TLS_TICKET_PREVIOUS);
	ticket_keys_free(others);
	ticket_keys_free(NULL);
}

static void
other_memory_is_refused(void)
{
	struct ticket_keys *keys;
	int ends[2];

	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	CU_ASSERT_EQUAL(ticket_keys_attach(ends[0], &keys), ERR_INVALID);
	CU_ASSERT_EQUAL(fcntl(ends[0], F_GETFD), -1);
	close(ends[1]);
}

/* Turns LOOP until the current key of KEYS is another one than FIRST. */
static void
await_another(uv_loop_t *loop, struct ticket_keys *keys, const struct tls_ticket_key *first)
{
	struct tls_ticket_key now;

	do {
		uv_run(loop, UV_RUN_ONCE);
		tls_tickets_current(ticket_keys_tickets(keys), &now);
	} while (memcmp(now.name, first->name, sizeof(now.name)) == 0);
}

static void
they_change_by_the_clock(void)
{
	struct ticket_keys *keys;
	struct tls_ticket_key first;
	struct error e;
	uv_loop_t loop;

	uv_loop_init(&loop);
	CU_ASSERT_EQUAL_FATAL(ticket_keys_new(&keys, &e), 0);
	ticket_keys_start(keys, &loop, NULL);
	CU_ASSERT_FALSE(uv_loop_alive(&loop));
	ticket_keys_rotate_every(keys, 10);
	for (int i = 0; i < 3; i++) {
		tls_tickets_current(ticket_keys_tickets(keys), &first);
		ticket_keys_rotate_every(keys, 10); /* as at a reload */
		await_another(&loop, keys, &first);
	}
	ticket_keys_stop(keys);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	ticket_keys_free(keys);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "others_see_the_same_keys", others_see_the_same_keys },
		{ "other_memory_is_refused", other_memory_is_refused },
		{ "they_change_by_the_clock", they_change_by_the_clock },
	};

	return unit_run("ticket_keys", tests, sizeof(tests) / sizeof(tests[0]));
}
