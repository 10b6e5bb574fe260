/* reuse_table.c - see reuse_table.h. */
#include "gateway/reuse_table.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/error.h"
#include "base/random.h"

/* The first octet of what is hashed: one kind of hash never equals one of the other kind. */
enum kind {
	KIND_USER = 'u',
	KIND_CREDENTIALS = 'c',
};

int
reuse_table_init(struct reuse_table *table)
{
	memset(table, 0, sizeof(*table));
	TAILQ_INIT(&table->by_age);
	return random_fill(table->secret, sizeof(table->secret)) == 0 ? 0 : ERR_NO_MEMORY;
}

void
reuse_table_clear(struct reuse_table *table)
{
	OPENSSL_cleanse(table->secret, sizeof(table->secret));
}

static int
hash(const struct reuse_table *table, const void *in, size_t len, unsigned char out[REUSE_HASH])
{
	unsigned made;

	if (HMAC(EVP_sha256(), table->secret, sizeof(table->secret), in, len, out, &made) == NULL)
		return ERR_NO_MEMORY;
	return 0;
}

/* Names have no NUL, so that it is clear where they end. A master is not the user, and a token not a
 * password of the same octets. */
int
reuse_key_make(const struct reuse_table *table, const void *place, const struct credentials *c,
    struct reuse_key *out)
{
	const char *master = c->master != NULL ? c->master : "";
	size_t user_len = strlen(c->user) + 1, head = 1 + sizeof(place);
	size_t master_len = strlen(master) + 1, behind = head + user_len;
	size_t len = behind + master_len + 1 + c->password_len;
	unsigned char *text = malloc(len);
	int rc;

	if (text == NULL)
		return ERR_NO_MEMORY;
	memcpy(text + 1, &place, sizeof(place));
	memcpy(text + head, c->user, user_len);
	memcpy(text + behind, master, master_len);
	text[behind + master_len] = (unsigned char) c->kind;
	memcpy(text + behind + master_len + 1, c->password, c->password_len);
	text[0] = KIND_USER;
	if ((rc = hash(table, text, head + user_len, out->user)) == 0) {
		text[0] = KIND_CREDENTIALS;
		rc = hash(table, text, len, out->credentials);
	}
	OPENSSL_cleanse(text, len);
	free(text);
	return rc;
}

struct reuse_slot *
reuse_table_find(const struct reuse_table *table, const struct reuse_key *key)
{
	struct reuse_slot *slot;

	HASH_FIND(hh, table->by_user, key->user, REUSE_HASH, slot);
	return slot;
}

bool
reuse_slot_is(const struct reuse_slot *slot, const struct reuse_key *key)
{
	return CRYPTO_memcmp(slot->key.credentials, key->credentials, REUSE_HASH) == 0;
}

int
reuse_table_add(struct reuse_table *table, struct reuse_slot *slot, const struct reuse_key *key)
{
	slot->key = *key;
	slot->stored = 1;
	HASH_ADD(hh, table->by_user, key.user, REUSE_HASH, slot);
	if (!slot->stored)
		return ERR_NO_MEMORY;
	TAILQ_INSERT_TAIL(&table->by_age, slot, entry);
	table->count++;
	slot->in_table = true;
	return 0;
}

void
reuse_table_remove(struct reuse_table *table, struct reuse_slot *slot)
{
	if (!slot->in_table)
		return;
	HASH_DEL(table->by_user, slot);
	TAILQ_REMOVE(&table->by_age, slot, entry);
	table->count--;
	slot->in_table = false;
}
