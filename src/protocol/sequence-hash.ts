import { sha256Base64url, sha256Hex } from './digest.ts'
import { canonicalJson } from './jcs.ts'

/**
 * The 16 hex digits of `delegation_chain` and `step_sequence_hash` (draft section 4.4.4, protocol.md section 7). Ids
 * have no `|`, else two sequences would share one hash.
 */
export function sequenceHash(items: readonly string[]): string {
  return sha256Hex(items.join('|')).slice(0, 16)
}

/** `intent.chain_commitment`: base64url SHA-256 of the JCS array of subject names, self last (protocol.md section 7). */
export function chainCommitment(subjectNames: readonly string[]): string {
  return sha256Base64url(canonicalJson([...subjectNames]))
}
