import { createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '../../protocol/problem.ts'

const MAC_BYTES = 16

export type Page<T> = { readonly items: T[]; readonly next_cursor: string | null }

/** A place in one list, sealed with a key of its own so that only a place we named comes back (attacks.md 109). */
export function encodeCursor(cursorKey: Buffer, list: string, position: string): string {
  return Buffer.concat([macOf(cursorKey, list, position), Buffer.from(position, 'utf8')]).toString('base64url')
}

/** The position in a cursor of this list. Throws Problem `invalid_request`. */
export function decodeCursor(cursorKey: Buffer, list: string, cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  const position = bytes.subarray(MAC_BYTES).toString('utf8')
  const mac = bytes.subarray(0, MAC_BYTES)
  if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, macOf(cursorKey, list, position))) {
    throw new Problem('invalid_request', 'The cursor is not one of this list; start without it.', 'forged_cursor')
  }
  return position
}

/** Cuts a page out of rows that were read with one more than `limit`. */
export function pageOf<T>(
  cursorKey: Buffer,
  list: string,
  rows: readonly T[],
  limit: number,
  positionOf: (row: T) => string,
): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  const more = rows.length > limit && last !== undefined
  return { items, next_cursor: more ? encodeCursor(cursorKey, list, positionOf(last)) : null }
}

function macOf(cursorKey: Buffer, list: string, position: string): Buffer {
  return createHmac('sha256', cursorKey).update(`${list}\0${position}`, 'utf8').digest().subarray(0, MAC_BYTES)
}
