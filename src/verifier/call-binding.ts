import { equalConstantTime, sha256Base64url } from '../protocol/digest.ts'
import type { DpopProof } from '../protocol/dpop.ts'
import { splitScope } from '../protocol/scope.ts'
import { proofRefused, scopeRefused } from './refused.ts'

/** The bytes of the body; undefined where nobody can say what they are. */
export type Body = (() => Promise<Uint8Array>) | undefined

/** Asks for the body at most once. */
export function readOnce(body: (() => Promise<Uint8Array> | Uint8Array) | undefined): Body {
  let bytes: Promise<Uint8Array> | undefined
  if (body === undefined) return undefined
  return async () => {
    bytes ??= Promise.resolve(body())
    return await bytes
  }
}

/**
 * The body that a proof names is the body that came (protocol.md section 8, call binding). A name that cannot be compared
 * is refused too. Throws `invalid_dpop_proof`.
 */
export async function checkBody(
  proof: Pick<DpopProof, 'bd'> | undefined,
  body: Body,
  boundBody: boolean,
): Promise<void> {
  if (proof?.bd === undefined) {
    if (boundBody) throw proofRefused('bd_missing')
    return
  }
  if (body === undefined) throw proofRefused('bd_unchecked')
  if (!equalConstantTime(proof.bd, sha256Base64url(await body()))) throw proofRefused('bd_mismatch')
}

/** What this call may use: all of the token's scope, or the part that the proof names. Throws `insufficient_scope`. */
export function scopeOfCall(scope: string, proof: Pick<DpopProof, 'scope'> | undefined): readonly string[] {
  const ofToken = splitScope(scope) ?? []
  if (proof?.scope === undefined) return ofToken
  const named = splitScope(proof.scope) ?? []
  if (!named.every(token => ofToken.includes(token))) throw scopeRefused('proof_scope')
  return named
}
