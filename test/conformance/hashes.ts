import { createHash } from 'node:crypto'

/** `delegation_chain` and `step_sequence_hash`, written down once more so that the tests do not ask the server's code. */
export function hash16(names: readonly string[]): string {
  return createHash('sha256').update(names.join('|'), 'utf8').digest('hex').slice(0, 16)
}

/** `chain_commitment` of subject names, whose JCS is their JSON. */
export function commitment(subjects: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(subjects), 'utf8').digest('base64url')
}
