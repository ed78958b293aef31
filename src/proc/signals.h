/* What a supervisor does about signals. For rouse-shim: the C library is all that is used. */
#ifndef PROC_SIGNALS_H
#define PROC_SIGNALS_H

/* None may end a supervisor: all are blocked, and only those of children are told, through the descriptor: -1 with errno. */
int signals_block(void);
void signals_read(int fd);
/* As a program expects them, for whatever is executed next. What is pending would end it the moment it is unblocked: ignoring
 * throws it away. */
void signals_restore(void);

#endif
