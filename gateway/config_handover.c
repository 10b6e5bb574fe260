/* config_handover.c - see config_handover.h. */
#include "gateway/config_handover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

int
config_seal(const char *text, size_t len, int *fd)
{
	int memory;

	if ((memory = memfd_create("popgate-config", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
		return ERR_NO_MEMORY;
	if (write(memory, text, len) != (ssize_t) len || fcntl(memory, F_ADD_SEALS, SEALS) != 0) {
		close(memory);
		return ERR_NO_MEMORY;
	}
	*fd = memory;
	return 0;
}

int
config_load_sealed(const char *path, int fd, struct config **out, struct config_report *report)
{
	struct stat st;
	size_t len;
	char *text;
	int rc = ERR_NO_MEMORY;

	if (fstat(fd, &st) != 0)
		return ERR_INVALID;
	len = (size_t) st.st_size;
	if ((text = malloc(len + 1)) == NULL)
		return ERR_NO_MEMORY;
	/* pread: the descriptor's offset is common to all who have it. */
	if (pread(fd, text, len, 0) == (ssize_t) len)
		rc = config_load_text(path, text, len, out, report);
	free(text);
	return rc;
}
