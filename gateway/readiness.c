/* readiness.c - see readiness.h. */
#include "gateway/readiness.h"

#include <string.h>
#include <time.h>

#include "base/text.h"

enum { SHOWN_MAX = 1100 }; /* octets of a user name or an error, escaped */

int
readiness_begin(struct readiness *r)
{
	if (r->html != NULL &&
	    ((r->bad_rows = tmpfile()) == NULL || (r->safe_rows = tmpfile()) == NULL))
		return ERR_TEMPORARY;
	if (r->table != NULL)
		fprintf(r->table, "%-32s %8s %8s %8s %8s %8s  %s\n", "user", "before", "same",
		    "changed", "missing", "new", "verdict");
	if (r->csv != NULL)
		fprintf(r->csv, "user,verdict,before,now,same,changed,missing,new,error\n");
	return 0;
}

static const char *
verdict(const struct verify_result *result)
{
	if (result->error.code != 0)
		return "failed";
	return verify_is_safe(result) ? "safe" : "not safe";
}

/* "the login at the new server: credentials rejected", escaped; "" where nothing failed. */
static void
explain(const struct verify_result *result, char out[SHOWN_MAX])
{
	char text[ERROR_TEXT_MAX * 2];

	out[0] = '\0';
	if (result->error.code == 0)
		return;
	snprintf(text, sizeof(text), "%s: %s%s%s", verify_step_name(result->reached),
	    error_name(result->error.code), result->error.text[0] != '\0' ? ": " : "",
	    result->error.text);
	text_escape(text, strlen(text), out, SHOWN_MAX);
}

/* TEXT, without control characters, in the quotation marks of CSV. */
static void
print_quoted(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

/* TEXT, without control characters, as HTML. */
static void
print_html(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '<')
			fputs("&lt;", to);
		else if (*text == '&')
			fputs("&amp;", to);
		else
			fputc(*text, to);
	}
}

static void
print_table_row(FILE *to, const char *user, const struct verify_result *result, const char *why)
{
	if (result->error.code != 0)
		fprintf(to, "%-32s %8s %8s %8s %8s %8s  failed, %s\n", user, "-", "-", "-", "-", "-",
		    why);
	else
		fprintf(to, "%-32s %8zu %8zu %8zu %8zu %8zu  %s\n", user, result->before,
		    result->same, result->changed, result->missing, result->fresh, verdict(result));
	fflush(to);
}

static void
print_csv_row(FILE *to, const char *user, const struct verify_result *result, const char *why)
{
	print_quoted(to, user);
	fprintf(to, ",%s,%zu,%zu,%zu,%zu,%zu,%zu,", verdict(result), result->before, result->now,
	    result->same, result->changed, result->missing, result->fresh);
	print_quoted(to, why);
	fputc('\n', to);
}

static void
print_html_row(FILE *to, const char *user, const struct verify_result *result, const char *why)
{
	const char *kind = result->error.code != 0 ? "failed" : verify_is_safe(result) ? "safe" : "unsafe";

	fprintf(to, "<tr class=\"%s\"><th scope=\"row\">", kind);
	print_html(to, user);
	fprintf(to, "</th><td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td><td>%s",
	    result->before, result->same, result->changed, result->missing, result->fresh,
	    verdict(result));
	if (why[0] != '\0') {
		fputs(": ", to);
		print_html(to, why);
	}
	fputs("</td></tr>\n", to);
}

static void
add(struct readiness *r, const struct verify_result *result)
{
	if (result->error.code != 0) {
		r->failed++;
		return;
	}
	if (verify_is_safe(result))
		r->safe++;
	else
		r->unsafe++;
	r->before += result->before;
	r->now += result->now;
	r->same += result->same;
	r->changed += result->changed;
	r->missing += result->missing;
	r->fresh += result->fresh;
	if (result->before > 0) {
		size_t share = result->same * READINESS_SHARES / result->before;

		r->shares[share < READINESS_SHARES ? share : READINESS_SHARES - 1]++;
	}
}

void
readiness_add(struct readiness *r, const char *user, const struct verify_result *result)
{
	char shown[SHOWN_MAX], name[SHOWN_MAX], why[SHOWN_MAX];

	add(r, result);
	text_escape(user, strlen(user), shown, sizeof(shown));
	text_copy_legible(user, strlen(user), name, sizeof(name));
	explain(result, why);
	if (r->table != NULL)
		print_table_row(r->table, shown, result, why);
	if (r->csv != NULL)
		print_csv_row(r->csv, name, result, why);
	if (r->html != NULL)
		print_html_row(verify_is_safe(result) ? r->safe_rows : r->bad_rows, name, result, why);
}

/* ---- the page ---- */

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>Readiness for the move</title>\n<style>\n"
    ":root { color-scheme: light dark; --safe: #1a7f4b; --unsafe: #c2560c; --failed: #6b7280; "
    "--column: #3b76b5; }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; "
    "padding: 0 1rem; }\n"
    "h1 { font-size: 1.5rem; }\nsvg { width: 100%; height: auto; }\n"
    "svg text { fill: currentColor; font: 13px system-ui, sans-serif; }\n"
    "table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: .25rem .5rem; border-bottom: 1px solid #8884; text-align: right; }\n"
    "th:first-child, td:last-child, th:last-child { text-align: left; }\n"
    "th[scope=row] { font-weight: normal; overflow-wrap: anywhere; min-width: 12rem; }\n"
    ".unsafe td:last-child { color: var(--unsafe); } .failed td:last-child { color: var(--failed); }\n"
    "</style>\n</head>\n<body>\n<h1>Readiness for the move</h1>\n";

enum {
	CHART_WIDTH = 720,
	CHART_BAR = 28,	   /* height of the bar of users */
	CHART_TOP = 90,	   /* where the columns begin */
	CHART_HEIGHT = 140, /* of the highest column */
	CHART_COLUMN = CHART_WIDTH / READINESS_SHARES,
};

/* A part of the bar of users, from *X on. */
static void
print_part(FILE *to, const char *kind, const char *label, size_t count, size_t total, double *x)
{
	double width = total == 0 ? 0 : (double) CHART_WIDTH * (double) count / (double) total;

	if (count == 0)
		return;
	fprintf(to,
	    "<rect class=\"part-%s\" x=\"%.1f\" y=\"24\" width=\"%.1f\" height=\"%d\" fill=\"var(--%s)\">"
	    "<title>%zu %s</title></rect>\n",
	    kind, *x, width, CHART_BAR, kind, count, label);
	*x += width;
}

static void
print_columns(const struct readiness *r)
{
	size_t most = 1;

	for (unsigned i = 0; i < READINESS_SHARES; i++)
		most = r->shares[i] > most ? r->shares[i] : most;
	for (unsigned i = 0; i < READINESS_SHARES; i++) {
		double height = (double) CHART_HEIGHT * (double) r->shares[i] / (double) most;
		unsigned x = i * CHART_COLUMN;

		fprintf(r->html,
		    "<rect class=\"column\" x=\"%u\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" "
		    "fill=\"var(--column)\"><title>%zu users</title></rect>\n",
		    x + 4, CHART_TOP + CHART_HEIGHT - height, CHART_COLUMN - 8, height,
		    r->shares[i]);
		fprintf(r->html, "<text x=\"%u\" y=\"%d\" text-anchor=\"middle\">%u-%u%%</text>\n",
		    x + CHART_COLUMN / 2, CHART_TOP + CHART_HEIGHT + 18, i * 10, i * 10 + 10);
		if (r->shares[i] > 0)
			fprintf(r->html,
			    "<text x=\"%u\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>\n",
			    x + CHART_COLUMN / 2, CHART_TOP + CHART_HEIGHT - height - 4,
			    r->shares[i]);
	}
}

static void
print_chart(const struct readiness *r)
{
	size_t total = r->safe + r->unsafe + r->failed;
	double x = 0;

	fprintf(r->html,
	    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%zu users are safe to move, %zu are not, "
	    "%zu could not be looked at\">\n",
	    CHART_WIDTH, CHART_TOP + CHART_HEIGHT + 28, r->safe, r->unsafe, r->failed);
	fprintf(r->html, "<text x=\"0\" y=\"14\">Users: %zu safe, %zu not safe, %zu failed</text>\n",
	    r->safe, r->unsafe, r->failed);
	print_part(r->html, "safe", "safe", r->safe, total, &x);
	print_part(r->html, "unsafe", "not safe", r->unsafe, total, &x);
	print_part(r->html, "failed", "failed", r->failed, total, &x);
	fprintf(r->html, "<text x=\"0\" y=\"%d\">Users by how many of their UIDLs stay</text>\n",
	    CHART_TOP - 20);
	print_columns(r);
	fprintf(r->html, "</svg>\n");
}

static void
copy_rows(FILE *rows, FILE *to)
{
	char buf[4096];
	size_t got;

	rewind(rows);
	while ((got = fread(buf, 1, sizeof(buf), rows)) > 0)
		fwrite(buf, 1, got, to);
	fclose(rows);
}

/* A page that is kept must say of when it is. */
static void
print_date(FILE *to)
{
	char text[40] = "";
	time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &utc);
	fprintf(to, "<p>As of %s.</p>\n", text);
}

static void
print_page(struct readiness *r)
{
	fputs(head, r->html);
	print_date(r->html);
	fprintf(r->html,
	    "<p>%zu users; of %zu messages seen before, <b>%zu</b> stay as they are, <b>%zu</b> would be "
	    "downloaded again, <b>%zu</b> are missing; %zu are new.</p>\n",
	    r->safe + r->unsafe + r->failed, r->before, r->same, r->changed, r->missing, r->fresh);
	print_chart(r);
	fputs("<table>\n<thead><tr><th scope=\"col\">User</th><th scope=\"col\">Before</th>"
	      "<th scope=\"col\">Same</th><th scope=\"col\">Changed</th><th scope=\"col\">Missing</th>"
	      "<th scope=\"col\">New</th><th scope=\"col\">Verdict</th></tr></thead>\n<tbody>\n",
	    r->html);
	copy_rows(r->bad_rows, r->html);
	copy_rows(r->safe_rows, r->html);
	r->bad_rows = r->safe_rows = NULL;
	fputs("</tbody>\n</table>\n</body>\n</html>\n", r->html);
}

void
readiness_end(struct readiness *r)
{
	if (r->table != NULL) {
		fprintf(r->table, "%zu users safe, %zu not safe, %zu failed: ", r->safe, r->unsafe,
		    r->failed);
		fprintf(r->table, "%zu messages same, %zu changed, %zu missing, %zu new\n", r->same,
		    r->changed, r->missing, r->fresh);
	}
	if (r->html != NULL && r->safe_rows != NULL)
		print_page(r);
}
