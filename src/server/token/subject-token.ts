import type { Access } from '../../protocol/access.ts'
import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { SubjectToken } from '../../protocol/token-request.ts'
import type { IssuerPurpose } from '../../protocol/trusted-issuer.ts'
import type { Context } from '../context.ts'

/** Somebody of a trusted issuer, proven by a token of that issuer. */
export type ForeignSubject = {
  /** `user:<issuer name>:<sub>`. */
  readonly sub: string
  readonly purpose: IssuerPurpose
  /** From the issuer's record and the token's claims; null: the issuer sets no ceiling (purpose `user` only). */
  readonly access: Access | null
  /** Of the token. */
  readonly expires_at: Date
  /** SHA-256 of what was signed: one token has one digest, however its signature is written. */
  readonly digest: Buffer
}

/**
 * Checks a subject token of a trusted issuer for one of these purposes (protocol.md section 6): its record for this
 * client, keys, algorithm, kind, claims, times, and possession where it is bound. Reads only. Throws `invalid_request`
 * with one text for every cause.
 */
export async function readForeignSubject(
  _ctx: Context,
  _sent: SubjectToken,
  _asked: {
    readonly client_id: string
    readonly purposes: readonly IssuerPurpose[]
    readonly proof: DpopProof | undefined
  },
): Promise<ForeignSubject> {
  throw new OAuthError('invalid_request', 'The subject token is not one that is accepted here.', {
    reason: 'subject_token_not_built',
  })
}
