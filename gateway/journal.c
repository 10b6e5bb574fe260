/* journal.c - see journal.h. Keeps nothing yet. */
#include "gateway/journal.h"
#include "base/error.h"
#include <stdlib.h>
struct journal {
	int x;
};
int
journal_open(const char *d, struct journal **out)
{
	(void) d;
	*out = calloc(1, sizeof(**out));
	return 0;
}
void
journal_close(struct journal *j)
{
	free(j);
}
int
journal_check(struct journal *j, struct error *e)
{
	(void) j;
	(void) e;
	return 0;
}
int
journal_begin(struct journal *j, const struct journal_key *k, const struct journal_entry *n,
    int64_t *id, struct error *e)
{
	(void) j;
	(void) k;
	(void) n;
	(void) e;
	*id = 1;
	return 0;
}
int
journal_change(
    struct journal *j, int64_t id, enum journal_task task, const struct uidset *l, struct error *e)
{
	(void) j;
	(void) id;
	(void) task;
	(void) l;
	(void) e;
	return 0;
}
int
journal_end(struct journal *j, int64_t id, struct error *e)
{
	(void) j;
	(void) id;
	(void) e;
	return 0;
}
int
journal_pending(struct journal *j, const struct journal_key *k, struct journal_entry **en,
    size_t *c, struct error *e)
{
	(void) j;
	(void) k;
	(void) e;
	*en = NULL;
	*c = 0;
	return 0;
}
void
journal_entries_free(struct journal_entry *e, size_t c)
{
	(void) c;
	free(e);
}
void
journal_set_patience(struct journal *j, unsigned ms)
{
	(void) j;
	(void) ms;
}
