# Build options: warnings, sanitizers, hardening and the guards that mutation builds switch off.
add_library(mr_build_options INTERFACE)
target_compile_definitions(mr_build_options INTERFACE
  _GNU_SOURCE MILLRACE_VERSION="${PROJECT_VERSION}")
target_include_directories(mr_build_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(mr_build_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wswitch-enum -Wvla -Wformat=2 -Wundef -Wcast-qual -Wpointer-arith
  -Wwrite-strings -Werror
  -fno-strict-aliasing -fno-common -ffp-contract=off -fno-omit-frame-pointer
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

set(MR_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them (address,undefined | thread)")
if(MR_SANITIZE)
  target_compile_options(mr_build_options INTERFACE
    -fsanitize=${MR_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(mr_build_options INTERFACE -fsanitize=${MR_SANITIZE})
endif()

option(MR_COVERAGE "Instrument for coverage" OFF)
if(MR_COVERAGE)
  target_compile_options(mr_build_options INTERFACE --coverage)
  target_link_options(mr_build_options INTERFACE --coverage)
endif()

option(MR_FUZZ "Build the libFuzzer targets of tests/fuzz (clang)" OFF)
if(MR_FUZZ)
  target_compile_options(mr_build_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
  target_link_options(mr_build_options INTERFACE -fsanitize=address,undefined)
endif()

option(MR_HARDEN "Hardened release build" OFF)
if(MR_HARDEN)
  target_compile_options(mr_build_options INTERFACE
    -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
  target_link_options(mr_build_options INTERFACE -pie -Wl,-z,relro -Wl,-z,now)
endif()

# A mutation build switches one guard of the exactly-once protocol off, so that the tests can show
# that they would notice (docs/TESTING.md). Never set for a build that anyone runs.
set(MR_MUTATION "" CACHE STRING "Guard to switch off: see docs/TESTING.md")
if(MR_MUTATION)
  string(TOUPPER "${MR_MUTATION}" mutation_upper)
  target_compile_definitions(mr_build_options INTERFACE MR_MUTATED=MR_GUARD_${mutation_upper})
endif()

# Named crash points for the fault tests; compiled in for tests only.
option(MR_FAILPOINTS "Compile the named crash points in" OFF)
if(MR_FAILPOINTS)
  target_compile_definitions(mr_build_options INTERFACE MR_FAILPOINTS=1)
endif()
