import type { Access } from '../../protocol/access.ts'
import { type CompactJws, parseCompactJws } from '../../protocol/compact-jws.ts'
import { sha256 } from '../../protocol/digest.ts'
import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { JsonObject } from '../../protocol/json.ts'
import type { PublicKey } from '../../protocol/jwk.ts'
import { userSubject } from '../../protocol/names.ts'
import type { SubjectToken } from '../../protocol/subject-token-parameter.ts'
import { CLOCK_SKEW, epochSeconds } from '../../protocol/time.ts'
import type { IssuerPurpose } from '../../protocol/trusted-issuer.ts'
import { verifyCompactJws } from '../../protocol/verify-jws.ts'
import type { Context } from '../context.ts'
import { issuerKeys } from '../registry/issuer-keys.ts'
import { latestRevocations } from '../store/revocations.ts'
import type { RecordRef } from '../store/standing.ts'
import { findIssuersFor, type TrustedIssuer } from '../store/trusted-issuers.ts'
import {
  accessOf,
  checkConfirmation,
  checkTimes,
  checkTokenType,
  isFor,
  subjectTokenRefused,
} from './foreign-claims.ts'

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
  /** The record of the issuer: by other rules the token may be worth something else. */
  readonly record: RecordRef
}

type Asked = {
  readonly client_id: string
  readonly purposes: readonly IssuerPurpose[]
  readonly proof: DpopProof | undefined
}

/** Records of one issuer that one client may use; of more it is not judged which one is meant. */
const MAX_RECORDS = 64

/**
 * Checks a subject token of a trusted issuer for one of these purposes (protocol.md section 6): its record for this
 * client, keys, algorithm, kind, claims, times, possession where it is bound, and that its subject was not revoked since.
 * Reads only. Throws `invalid_request`
 * with one text for every cause, and `temporarily_unavailable` where the keys of the issuer cannot be had.
 */
export async function readForeignSubject(ctx: Context, sent: SubjectToken, asked: Asked): Promise<ForeignSubject> {
  try {
    return await read(ctx, sent, asked)
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code !== 'invalid_request') throw cause
    throw subjectTokenRefused(cause.reason, cause)
  }
}

async function read(ctx: Context, { token, type }: SubjectToken, asked: Asked): Promise<ForeignSubject> {
  const { header, payload: claimed, signingInput } = parseCompactJws(token, { isForeign: true })
  checkTokenType(type, header)
  // What is not verified yet only chooses the record, whose keys then verify it.
  const record = await recordFor(ctx, claimed, asked)
  const { jwk } = await keyFor(ctx, record, header)
  const { payload } = await verifyCompactJws(token, jwk, {
    alg: header.alg,
    typ: record.typs,
    typMayBeAbsent: record.typ_may_be_absent,
    isForeign: true,
  })
  const { exp, iat } = checkTimes(record, payload, { now: epochSeconds(ctx.now()), notBefore: ctx.notBefore })
  checkConfirmation(payload, asked.proof?.jkt)
  const sub = userSubject(record.name, typeof payload.sub === 'string' ? payload.sub : '')
  await refuseBeforeRevocation(ctx, sub, iat)
  return {
    sub,
    purpose: record.purpose,
    access: accessOf(record, payload),
    expires_at: new Date(exp * 1000),
    digest: sha256(signingInput),
    record: { kind: 'trusted_issuer', id: record.name, version: record.row_version },
  }
}

/**
 * A revocation of an initiator ends after minutes, and tokens from before it may live longer: they stay refused. By the
 * skew, because an issuer whose clock is ahead dates them after it.
 */
async function refuseBeforeRevocation(ctx: Context, sub: string, iat: number): Promise<void> {
  const revoked_at = (await latestRevocations(ctx, 'initiator', [sub])).get(sub)
  if (revoked_at && iat <= epochSeconds(revoked_at) + CLOCK_SKEW) throw subjectTokenRefused('subject_before_revocation')
}

/** The one active record that this token is for: neither none nor several (attack 131: an issuer of many tenants). */
async function recordFor(
  ctx: Context,
  payload: JsonObject,
  { client_id, purposes }: Pick<Asked, 'client_id' | 'purposes'>,
): Promise<TrustedIssuer & { readonly row_version: string }> {
  const { iss } = payload
  if (typeof iss !== 'string') throw subjectTokenRefused('subject_token_issuer')
  if (iss === ctx.config.issuer) throw subjectTokenRefused('subject_token_own')
  const records = await findIssuersFor(ctx, { issuer: iss, client_id, purposes, limit: MAX_RECORDS + 1 })
  if (records.length === 0) throw subjectTokenRefused('subject_token_issuer')
  if (records.length > MAX_RECORDS) throw subjectTokenRefused('subject_token_ambiguous')
  const [record, ...others] = records.filter(candidate => isFor(candidate, payload))
  if (!record) throw subjectTokenRefused('subject_token_claims')
  if (others.length > 0) throw subjectTokenRefused('subject_token_ambiguous')
  return record
}

/** The named key, or the only one that may be used with the algorithm, which both key and record allow. */
async function keyFor(ctx: Context, record: TrustedIssuer, { alg, kid }: CompactJws['header']): Promise<PublicKey> {
  // Two names of one algorithm (RFC 9864 section 2.2).
  if (!record.algs.includes(alg === 'Ed25519' ? 'EdDSA' : alg)) throw subjectTokenRefused('subject_token_alg')
  const known = await issuerKeys(ctx, record, typeof kid === 'string' ? kid : undefined)
  const [key, ...others] = known.filter(
    key => key.algs.includes(alg) && (kid === undefined || key.kid === kid || key.jkt === kid),
  )
  if (!key || others.length > 0) throw subjectTokenRefused('subject_token_key')
  return key
}
