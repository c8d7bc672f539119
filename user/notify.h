/* SPDX-License-Identifier: GPL-2.0 */
/* Telling the service manager, by the datagram protocol of sd_notify(3); silent when there is none.
 */
#ifndef SKEP_USER_NOTIFY_H
#define SKEP_USER_NOTIFY_H

void notify_ready(void);
void notify_stopping(void);

#endif
