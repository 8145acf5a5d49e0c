import { randomUUID } from 'node:crypto'

/** A `jti` that nobody used: the only chance that the shim takes beside its keys. */
export function newJti(): string {
  return randomUUID()
}
