/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IPv4 packets as string literals, for the bodies of frames. All lengths are what the header says;
 * there are no checksums, but where a test puts them in.
 */
#ifndef SKEP_TESTS_BPF_PACKETS_H
#define SKEP_TESTS_BPF_PACKETS_H

#include "../frames.h"

#define IP_OF(len, id, fragment, protocol, sum, src, dst) \
	"\x45\x00" len id fragment "\x40" protocol sum src dst
#define ID "\x12\x34"
#define WHOLE "\x40\x00"
#define FIRST "\x20\x00"
#define ICMP "\x01"
#define TCP "\x06"
#define UDP "\x11"
#define NO_SUM "\x00\x00"

#define SEQ "\x00\x00\x10\x00"
#define ACK_SEQ "\x00\x00\x20\x00"
#define TCP_OF(source, dest, flags) source dest SEQ ACK_SEQ "\x50" flags "\x20\x00" NO_SUM NO_SUM
#define FIN "\x11"
#define SYN "\x02"
#define SYN_ACK "\x12"
#define RST "\x14"
#define ACK "\x10"
#define TCP_PACKET(src, dst, source, dest, flags) \
	IP_OF("\x00\x28", ID, WHOLE, TCP, NO_SUM, src, dst) TCP_OF(source, dest, flags)
#define UDP_OF(source, dest) source dest "\x00\x0c" NO_SUM "data"
#define UDP_PACKET(src, dst, source, dest) \
	IP_OF("\x00\x20", ID, WHOLE, UDP, NO_SUM, src, dst) UDP_OF(source, dest)
/* The first fragment of a datagram, and its last one. */
#define UDP_FIRST(src, dst, source, dest) \
	IP_OF("\x00\x20", ID, FIRST, UDP, NO_SUM, src, dst) source dest "\x00\x14" NO_SUM "data"
#define UDP_LAST(src, dst) \
	IP_OF("\x00\x1c", ID, "\x00\x02", UDP, NO_SUM, src, dst) NO_SUM NO_SUM NO_SUM NO_SUM
#define ICMP_PACKET(src, dst, type, id) \
	IP_OF("\x00\x1c", ID, WHOLE, ICMP, NO_SUM, src, dst) type "\x00" NO_SUM id "\x00\x01"
#define ASKS_ECHO "\x08"
#define ANSWERS_ECHO "\x00"
#define ASKS_TIME "\x0d"
#define ANSWERS_TIME "\x0e"
/* An error that quotes a packet's header and the first 8 bytes behind it. */
#define ICMP_ERROR(src, dst, type, code, quote)              \
	IP_OF("\x00\x38", ID, WHOLE, ICMP, NO_SUM, src, dst) \
	type code NO_SUM "\x00\x00\x00\x00" quote
#define QUOTE(protocol, src, dst, l4) IP_OF("\x00\x28", ID, WHOLE, protocol, NO_SUM, src, dst) l4

#define PORT_X "\x9c\x40" /* 40000 */
#define PORT_Y "\x9c\x41"
#define PORT_80 "\x00\x50"
#define PORT_53 "\x00\x35"

#endif
