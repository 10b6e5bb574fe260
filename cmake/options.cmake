# Compiler settings of every target, and the build variants that CMakePresets.json names.

option(POPGATE_TESTS "Build the unit tests (needs CUnit)" ON)
option(POPGATE_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(POPGATE_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(POPGATE_COVERAGE "Build with coverage counters" OFF)
option(POPGATE_FAILPOINTS "Build with fail points, for tests of faults (base/failpoint.h)" OFF)
option(POPGATE_WERROR "Treat compiler warnings as errors" OFF)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE Release)
endif()

add_library(popgate_options INTERFACE)
target_compile_definitions(popgate_options INTERFACE _GNU_SOURCE)
target_compile_options(popgate_options INTERFACE
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
	-Wvla -Wformat=2 -Werror=format-security -fno-strict-aliasing -fno-common)
if(POPGATE_WERROR)
	target_compile_options(popgate_options INTERFACE -Werror)
endif()

if(POPGATE_FAILPOINTS)
	target_compile_definitions(popgate_options INTERFACE POPGATE_FAILPOINTS)
endif()

if(POPGATE_SANITIZE OR POPGATE_FUZZ OR POPGATE_COVERAGE)
	target_compile_definitions(popgate_options INTERFACE POPGATE_INSTRUMENTED)
endif()

if(POPGATE_FUZZ)
	target_compile_options(popgate_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(POPGATE_SANITIZE OR POPGATE_FUZZ)
	target_compile_options(popgate_options INTERFACE
		-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	target_link_options(popgate_options INTERFACE -fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
	target_compile_options(popgate_options INTERFACE
		-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
		-fstack-clash-protection -fno-delete-null-pointer-checks -fno-strict-overflow)
	check_c_compiler_flag(-fcf-protection=full POPGATE_HAVE_CET)
	if(POPGATE_HAVE_CET)
		target_compile_options(popgate_options INTERFACE -fcf-protection=full)
	endif()
	target_link_options(popgate_options INTERFACE
		-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed)
endif()
if(POPGATE_COVERAGE)
	target_compile_options(popgate_options INTERFACE --coverage -O0)
	target_link_options(popgate_options INTERFACE --coverage)
endif()
