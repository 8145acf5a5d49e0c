import { parseCompactJws } from './compact-jws.ts'
import { type Compared, OAuthError } from './errors.ts'
import type { PublicKey } from './jwk.ts'
import { isSoleAudience, JTI } from './jwt-claims.ts'
import { readTimes } from './jwt-times.ts'
import { THUMBPRINT } from './thumbprint.ts'
import { verifyCompactJws } from './verify-jws.ts'

/** The kind of a key statement (protocol.md section 4). */
export const KEY_STATEMENT_TYP = 'agent-key+jwt'

/** A key that may vouch for keys of the agent: one of the agent's registered ones, or of its client's JWKS. */
export type StatementSigner = PublicKey & { readonly kid?: string; readonly by: 'agent' | 'client' }

export type StatementRules = {
  /** Our issuer URL: the sole audience. */
  readonly issuer: string
  /** Subject name of the agent. */
  readonly sub: string
  /** Epoch seconds. */
  readonly now: number
  /** Epoch seconds: what was signed before is refused. */
  readonly notBefore: number
  /** Longest `exp` - `iat` in seconds. */
  readonly maxLifetime: number
  /** The current keys of whoever `iss` names, `kid` among them; none for anybody who may not vouch. */
  readonly signers: (iss: string, kid: string) => Promise<readonly StatementSigner[]>
}

/** A key that somebody vouched for. Whether its holder is here is not judged; nor is replay. */
export type KeyStatement = {
  readonly jkt: string
  readonly jti: string
  /** Epoch seconds. */
  readonly exp: number
  readonly signer: { readonly by: 'agent' | 'client'; readonly jkt: string }
}

/**
 * Checks a key statement (protocol.md section 4): strict form, a current key of a signer who may vouch for this agent,
 * its signature, claims and times. Throws `invalid_dpop_proof` (`agent_key_mismatch`) with one text for every cause.
 */
export async function verifyKeyStatement(statement: string, rules: StatementRules): Promise<KeyStatement> {
  try {
    return await verify(statement, rules)
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code !== 'invalid_request') throw cause
    throw statementRefused(cause.reason, cause)
  }
}

/** Who a statement says signed it, nothing verified; undefined where it is none. A `kid` is at most 128 characters. */
export function claimedSigner(statement: string): { iss: string; kid: string } | undefined {
  try {
    const { header, payload } = parseCompactJws(statement)
    const { kid } = header
    const { iss } = payload
    return typeof kid === 'string' && typeof iss === 'string' ? { iss, kid } : undefined
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}

export function statementRefused(reason: string, cause?: unknown, compared?: Compared): OAuthError {
  return new OAuthError(
    'invalid_dpop_proof',
    'The key statement is not a current one, for this key, by a key that may vouch for this agent.',
    { ajwt_error: 'agent_key_mismatch', reason, cause, ...(compared && { compared }) },
  )
}

async function verify(statement: string, rules: StatementRules): Promise<KeyStatement> {
  const { header, payload: unverified } = parseCompactJws(statement)
  const { alg, kid } = header
  if (typeof kid !== 'string') throw statementRefused('statement_kid')
  const known = typeof unverified.iss === 'string' ? await rules.signers(unverified.iss, kid) : []
  const [key, ...others] = known.filter(signer => signer.jkt === kid || signer.kid === kid)
  if (!key || others.length > 0) {
    const statement_by = unverified.iss === rules.sub ? 'the agent itself' : 'another than the agent'
    throw statementRefused('statement_signer', undefined, { statement_by, keys_of_it_that_vouch: known.length })
  }
  if (!key.algs.includes(alg)) throw statementRefused('jws_alg')
  const { payload } = await verifyCompactJws(statement, key.jwk, { alg, typ: [KEY_STATEMENT_TYP] })
  const { sub, aud, jkt, jti } = payload
  if (sub !== rules.sub) throw statementRefused('statement_subject')
  if (!isSoleAudience(aud, rules.issuer)) throw statementRefused('statement_audience')
  if (typeof jkt !== 'string' || !THUMBPRINT.test(jkt)) throw statementRefused('statement_jkt')
  if (typeof jti !== 'string' || !JTI.test(jti)) throw statementRefused('statement_jti')
  const { exp, iat } = readTimes(payload, rules)
  if (iat === undefined) throw statementRefused('statement_iat')
  return { jkt, jti, exp, signer: { by: key.by, jkt: key.jkt } }
}
