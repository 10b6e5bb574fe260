/* tls_tickets.c - see tls_tickets.h. */
#include "fiberio/tls_tickets.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/error.h"
#include "base/random.h"

/* Two keys of one moment. */
struct view {
	struct tls_ticket_key current;
	struct tls_ticket_key previous;
};

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "processes share the generation without a lock");

int
tls_tickets_rotate(struct tls_tickets *tickets)
{
	uint32_t generation = atomic_load(&tickets->generation);
	struct tls_ticket_key *next = &tickets->keys[(generation + 1) % TLS_TICKET_SLOTS];

	if (random_fill(next->name, sizeof(next->name)) != 0 ||
	    random_fill(next->aes, sizeof(next->aes)) != 0 ||
	    random_fill(next->hmac, sizeof(next->hmac)) != 0)
		return ERR_TEMPORARY;
	atomic_store(&tickets->generation, generation + 1);
	atomic_thread_fence(memory_order_seq_cst);
	/* Who still reads this one will see that the generation has changed. */
	OPENSSL_cleanse(&tickets->keys[(generation + 2) % TLS_TICKET_SLOTS], sizeof(*next));
	return 0;
}

/* Copies until nothing has changed meanwhile. Between two changes lie hours. */
static void
look(struct tls_tickets *tickets, struct view *out)
{
	uint32_t before;

	do {
		before = atomic_load(&tickets->generation);
		out->current = tickets->keys[before % TLS_TICKET_SLOTS];
		out->previous = tickets->keys[(before + TLS_TICKET_SLOTS - 1) % TLS_TICKET_SLOTS];
		atomic_thread_fence(memory_order_seq_cst);
	} while (atomic_load(&tickets->generation) != before);
}

void
tls_tickets_current(struct tls_tickets *tickets, struct tls_ticket_key *out)
{
	struct view view;

	look(tickets, &view);
	*out = view.current;
	OPENSSL_cleanse(&view, sizeof(view));
}

/* Before the first key is made, and once all are overwritten, a name of zeros means nothing. */
static bool
is_named(const struct tls_ticket_key *key, const unsigned char name[16])
{
	static const struct tls_ticket_key none;

	return memcmp(key->name, name, sizeof(key->name)) == 0 &&
	       memcmp(key->name, none.name, sizeof(key->name)) != 0;
}

enum tls_ticket_age
tls_tickets_find(
    struct tls_tickets *tickets, const unsigned char name[16], struct tls_ticket_key *out)
{
	enum tls_ticket_age age = TLS_TICKET_UNKNOWN;
	struct view view;

	look(tickets, &view);
	if (is_named(&view.current, name)) {
		age = TLS_TICKET_CURRENT;
		*out = view.current;
	} else if (is_named(&view.previous, name)) {
		age = TLS_TICKET_PREVIOUS;
		*out = view.previous;
	}
	OPENSSL_cleanse(&view, sizeof(view));
	return age;
}

void
tls_tickets_clear(struct tls_tickets *tickets)
{
	OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
}
