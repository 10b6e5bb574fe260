/* import_report.c - see import_report.h. */
#include "gateway/import_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

enum { SHOWN_MAX = 1100 }; /* octets of a user name or an error, escaped */

void
import_report_begin(struct import_report *r, size_t total)
{
	progress_view_begin(&r->view, stderr, total);
	if (r->json != NULL)
		fprintf(r->json, "{\"users\":[");
	fprintf(r->table, "%-32s %7s %7s %9s %9s %7s  %s\n", "user", "old", "matched", "ambiguous",
	    "unmatched", "new", "result");
}

static const char *
outcome(const struct import_result *result)
{
	if (result->skipped)
		return "imported before";
	return result->error.code == 0 ? "imported" : "failed";
}

/* TEXT in the quotation marks of JSON. */
static void
print_json_text(FILE *to, const char *text)
{
	char shown[SHOWN_MAX];

	text_copy_legible(text, strlen(text), shown, sizeof(shown));
	fputc('"', to);
	for (const char *c = shown; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', to);
		fputc(*c, to);
	}
	fputc('"', to);
}

static void
print_json_counts(FILE *to, const struct import_result *result)
{
	fprintf(to, ",\"old\":%zu,\"new\":%zu,\"matched\":%zu,\"ambiguous\":%zu,\"unmatched\":%zu",
	    result->old_count, result->new_count, result->matched, result->by[MATCH_AMBIGUOUS],
	    result->by[MATCH_OPEN]);
	fprintf(to, ",\"without_partner\":%zu,\"by\":{", result->new_left);
	for (unsigned how = MATCH_BY_IDENTITY; how < MATCH_HOWS; how++)
		fprintf(to, "%s\"%s\":%zu", how == MATCH_BY_IDENTITY ? "" : ",",
		    match_how_name((enum match_how) how), result->by[how]);
	fprintf(to, "},\"stored\":{\"written\":%zu,\"same\":%zu,\"shown\":%zu,\"taken\":%zu,\"unfit\":%zu}",
	    result->stored.written, result->stored.same, result->stored.shown,
	    result->stored.taken, result->stored.unfit);
	fprintf(to, ",\"headers\":%zu", result->headers);
}

static void
print_json(struct import_report *r, const char *user, const struct import_result *result)
{
	fprintf(r->json, "%s\n{\"user\":", r->rows++ == 0 ? "" : ",");
	print_json_text(r->json, user);
	fprintf(r->json, ",\"result\":\"%s\"", outcome(result));
	if (result->error.code != 0) {
		fprintf(r->json, ",\"step\":\"%s\",\"reason\":\"%s\",\"error\":",
		    import_step_name(result->reached), error_name(result->error.code));
		print_json_text(r->json, result->error.text);
	} else if (!result->skipped) {
		print_json_counts(r->json, result);
	}
	fprintf(r->json, ",\"ms\":%" PRIu64 "}", result->took_ms);
}

static void
print_row(struct import_report *r, const char *user, const struct import_result *result)
{
	char shown[SHOWN_MAX], why[SHOWN_MAX];

	text_escape(user, strlen(user), shown, sizeof(shown));
	if (result->skipped) {
		fprintf(r->table, "%-32s %7s %7s %9s %9s %7s  imported before\n", shown, "-", "-",
		    "-", "-", "-");
	} else if (result->error.code != 0) {
		text_escape(result->error.text, strlen(result->error.text), why, sizeof(why));
		fprintf(r->table, "%-32s %7s %7s %9s %9s %7s  failed, %s: %s%s%s\n", shown, "-",
		    "-", "-", "-", "-", import_step_name(result->reached),
		    error_name(result->error.code), why[0] != '\0' ? ": " : "", why);
	} else {
		fprintf(r->table, "%-32s %7zu %7zu %9zu %9zu %7zu  imported", shown,
		    result->old_count, result->matched, result->by[MATCH_AMBIGUOUS],
		    result->by[MATCH_OPEN], result->new_left);
		if (result->stored.shown > 0)
			fprintf(r->table, "; %zu were shown with another UIDL and keep it",
			    result->stored.shown);
		if (result->stored.taken > 0)
			fprintf(r->table, "; %zu UIDLs belong to other messages",
			    result->stored.taken);
		if (result->stored.unfit > 0)
			fprintf(r->table, "; %zu UIDLs are none", result->stored.unfit);
		fprintf(r->table, "\n");
	}
	fflush(r->table);
}

static void
add_totals(struct import_totals *t, const struct import_result *result)
{
	if (result->skipped) {
		t->skipped++;
	} else if (result->error.code != 0) {
		t->failed++;
	} else {
		t->imported++;
		t->matched += result->matched;
		t->ambiguous += result->by[MATCH_AMBIGUOUS];
		t->unmatched += result->by[MATCH_OPEN];
		t->new_left += result->new_left;
		t->stored.written += result->stored.written;
		t->stored.same += result->stored.same;
		t->stored.shown += result->stored.shown;
		t->stored.taken += result->stored.taken;
		t->stored.unfit += result->stored.unfit;
	}
}

void
import_report_add(struct import_report *r, const char *user, const struct import_result *result)
{
	r->view.so_far.done++;
	r->view.so_far.passed += result->skipped;
	add_totals(&r->totals, result);
	progress_view_pause(&r->view);
	print_row(r, user, result);
	if (r->json != NULL)
		print_json(r, user, result);
}

void
import_report_end(struct import_report *r)
{
	const struct import_totals *t = &r->totals;

	progress_view_pause(&r->view);
	fprintf(r->table, "%zu users imported, %zu imported before, %zu failed: ", t->imported,
	    t->skipped, t->failed);
	fprintf(r->table, "%zu messages matched, %zu ambiguous, %zu unmatched, %zu new\n",
	    t->matched, t->ambiguous, t->unmatched, t->new_left);
	if (r->json == NULL)
		return;
	fprintf(r->json, "\n],\"total\":{\"imported\":%zu,\"skipped\":%zu,\"failed\":%zu,", t->imported,
	    t->skipped, t->failed);
	fprintf(r->json, "\"matched\":%zu,\"ambiguous\":%zu,\"unmatched\":%zu,", t->matched,
	    t->ambiguous, t->unmatched);
	fprintf(r->json, "\"without_partner\":%zu,\"written\":%zu,\"same\":%zu,\"shown\":%zu,",
	    t->new_left, t->stored.written, t->stored.same, t->stored.shown);
	fprintf(r->json, "\"taken\":%zu,\"unfit\":%zu}}\n", t->stored.taken, t->stored.unfit);
}
