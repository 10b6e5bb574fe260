/* curl_library.c - see curl_library.h. */
#include "gateway/curl_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define SYMBOL(name) { "curl_" #name, offsetof(struct curl_library, name) },

static const struct {
	const char *name;
	size_t member;
} symbols[] = { CURL_LIBRARY_FUNCTIONS(SYMBOL) };

static int
find_symbols(void *library, struct curl_library *out, struct error *e)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *symbol = dlsym(library, symbols[i].name);

		if (symbol == NULL)
			return error_set(e, ERR_TEMPORARY, "%s", dlerror());
		/* In C no object pointer becomes a function's; POSIX has dlsym nevertheless. */
		memcpy((char *) out + symbols[i].member, &symbol, sizeof(symbol));
	}
	return 0;
}

int
curl_library_load(struct curl_library *out, struct error *e)
{
	void *library = dlopen(POPGATE_LIBCURL, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	int rc;

	if (library == NULL)
		return error_set(e, ERR_TEMPORARY, "%s", dlerror());
	rc = find_symbols(library, out, e);
	dlclose(library); /* RTLD_NODELETE: what was found stays */
	return rc;
}
