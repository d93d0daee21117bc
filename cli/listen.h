/* cli/listen.h — following a stream of server-sent events until the user or its reader ends it.
 * When the connection ends the next address of --server is listened to, after a second; a sentence
 * on standard error says that events may be missing in between. */
#ifndef MR_CLI_LISTEN_H
#define MR_CLI_LISTEN_H

#include "cli/server.h"

/* visit returns false to end. The event "lost" (this reader was too slow) is told on standard error
 * and not visited. Returns FINE when visit ended it or standard output is closed; otherwise what is
 * wrong was printed. */
enum mr_exit mr_listen(struct mr_server *server, const char *path,
                       bool (*visit)(void *argument, const char *event, struct mr_slice data),
                       void *argument);

#endif
