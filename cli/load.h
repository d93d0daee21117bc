/* cli/load.h — a topology file: read, parsed, checked, its findings printed.
 * Why: validate, plan and run start the same way and must say the same. */
#ifndef MR_CLI_LOAD_H
#define MR_CLI_LOAD_H

#include "base/arena.h"
#include "cli/command.h"
#include "topology/tested.h"

/* Read all of a file ("-": standard input), at most size_max bytes. Owner: bytes are in arena.
 * Errors: MR_NOT_FOUND, MR_LIMIT, MR_IO with a sentence. */
enum mr_status mr_load_file(struct mr_arena *arena, const char *path, size_t size_max,
                            struct mr_slice *bytes, struct mr_error *error) MR_NODISCARD;

/* Plan the text of a file; ${NAME} comes from the environment. *plan is NULL when report has
 * errors. path: for the findings. Owner: everything is in arena, which borrows text. */
void mr_load_text(struct mr_arena *arena, const char *path, struct mr_slice text,
                  const struct mr_catalogue *catalogue, struct mr_report *report,
                  struct mr_plan **plan);

/* Read and plan a topology; ${NAME} comes from the environment. *plan is NULL when report has
 * errors. Owner: everything is in arena. Errors: the file cannot be read. */
enum mr_status mr_load_topology(struct mr_arena *arena, const char *path,
                                const struct mr_catalogue *catalogue, struct mr_report *report,
                                struct mr_plan **plan, struct mr_error *error) MR_NODISCARD;

/* The same for its tests (topology/tested.h). */
enum mr_status mr_load_tested(struct mr_arena *arena, const char *path,
                              const struct mr_catalogue *catalogue, struct mr_report *report,
                              struct mr_tested *tested, struct mr_error *error) MR_NODISCARD;

/* Print findings, one per line: FILE:LINE:COLUMN: error: sentence. Control characters that the file
 * put into a sentence are escaped. */
void mr_load_print_findings(const struct mr_report *report);

/* All three for a command that needs the plan: prints what is wrong on standard error. */
enum mr_exit mr_load_plan(struct mr_arena *arena, const char *path,
                          const struct mr_catalogue *catalogue, struct mr_plan **plan);

/* The same, with the text as it is submitted and kept: *names_count values of ${NAME} are written
 * into it (cli/environment.h). */
enum mr_exit mr_load_definition(struct mr_arena *arena, const char *path,
                                const struct mr_catalogue *catalogue, struct mr_plan **plan,
                                struct mr_slice *definition, uint32_t *names_count);

#endif
