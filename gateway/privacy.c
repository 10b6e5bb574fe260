/* privacy.c - see privacy.h. */
#include "gateway/privacy.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void
privacy_begin(void)
{
#ifndef POPGATE_INSTRUMENTED
	static const struct rlimit none = { 0, 0 };

	/* Neither can fail for a process of its own. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
