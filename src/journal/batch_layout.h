/* SPDX-License-Identifier: MIT
 *
 * batch_layout - where things stand in a batch, byte by byte.
 *
 *	0  magic u32     4  crc u32 of all that follows   8  size u32 of the records
 *	12 events u32   16  first id u64                  24 last id u64   32 ordinal u64
 *	40 records (wire/record.h)
 *
 * In version 1 of a segment there was no ordinal, and the records began at 32.
 */
#ifndef SLUICE_JOURNAL_BATCH_LAYOUT_H
#define SLUICE_JOURNAL_BATCH_LAYOUT_H

#define BATCH_MAGIC 0x42a7c15bu

enum {
	BATCH_CRC_AT = 4,
	BATCH_SIZE_AT = 8,
	BATCH_EVENTS_AT = 12,
	BATCH_FIRST_AT = 16,
	BATCH_LAST_AT = 24,
	BATCH_ORDINAL_AT = 32,
	BATCH_HEADER = 40,
	BATCH_HEADER_1 = 32,
	BATCH_CRC_FROM = 8,
};

#endif
