/* replay.c - runs a fuzz target over files without libFuzzer, so that every build holds the targets to their
 * seeds. usage: fuzz_x FILE|FOLDER... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_OCTETS = 4096 };

static _Noreturn void
fail(const char *path)
{
	perror(path);
	exit(EXIT_FAILURE);
}

/* The octets have a block of just their size, so that a read behind them is seen. */
static void
replay(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size > 0 ? size : 1);

	if (file == NULL || data == NULL || fread(data, 1, size, file) != size)
		fail(path);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static size_t replay_all(const char *path);

static size_t
replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	char name[PATH_OCTETS];
	size_t count = 0;

	if (folder == NULL)
		fail(path);
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int) sizeof(name))
			fail(path);
		count += replay_all(name);
	}
	closedir(folder);
	return count;
}

/* Returns how many inputs there were. */
static size_t
replay_all(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		fail(path);
	if (S_ISDIR(st.st_mode))
		return replay_folder(path);
	replay(path, (size_t) st.st_size);
	return 1;
}

int
main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_all(argv[i]);
	if (count == 0) {
		fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
		return EXIT_FAILURE;
	}
	printf("%zu inputs\n1 passed, 0 failed\n", count);
	return 0;
}
