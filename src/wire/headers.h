/* SPDX-License-Identifier: MIT
 *
 * headers - header fields that every answer of ours carries.
 *
 * An answer is data: nothing in it runs, no other site embeds or frames it, and what
 * it links to does not learn the address it came from.
 */
#ifndef SLUICE_WIRE_HEADERS_H
#define SLUICE_WIRE_HEADERS_H

/* But for who may frame it, and the rest of what the console says itself. */
#define SAFE_HEADERS_ALWAYS                                                                        \
	"X-Content-Type-Options: nosniff\r\n"                                                      \
	"Referrer-Policy: no-referrer\r\n"                                                         \
	"Cross-Origin-Resource-Policy: same-origin\r\n"
#define SAFE_HEADERS                                                                               \
	SAFE_HEADERS_ALWAYS                                                                        \
	"X-Frame-Options: DENY\r\n"                                                                \
	"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"

#endif
