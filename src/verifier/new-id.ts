import { randomUUID } from 'node:crypto'

/** A name that nobody used, for a proof, an assertion or a report: the only chance here beside the keys. */
export function newId(): string {
  return randomUUID()
}
