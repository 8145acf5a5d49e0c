import { parseCompactJws } from './compact-jws.ts'
import { OAuthError } from './errors.ts'
import type { JsonValue } from './json.ts'
import type { PublicKey } from './jwk.ts'
import { isSoleAudience, JTI } from './jwt-claims.ts'
import { readTimes } from './jwt-times.ts'
import { clientIdSchema } from './names.ts'
import { CLIENT_ASSERTION_MAX_LIFETIME, CLOCK_SKEW } from './time.ts'
import { verifyCompactJws } from './verify-jws.ts'

export type ClientKeys = { client_id: string; keys: readonly (PublicKey & { kid?: string })[] }

export type AssertionOptions = {
  issuer: string
  /** Epoch seconds. */
  now: number
  /** Epoch seconds: what was, or may have been, signed before is refused. */
  notBefore?: number
  lookup: (client_id: string) => Promise<ClientKeys | undefined>
}

export type ClientAssertion = {
  client_id: string
  jti: string
  /** The last second in which the assertion could be taken again, in epoch seconds. */
  expires_at: number
}

const TYP = ['JWT', 'client-authentication+jwt'] as const

/** Public keys whose private parts were never kept: an unknown client costs the same verification as a wrong key. */
const NOBODYS_KEYS = {
  EC: {
    kty: 'EC',
    crv: 'P-256',
    x: 'zcXin3A0ydGkqdv7lSllOSa9kWOUsynIyw2YKnjOP84',
    y: 'ksV7k_iGtSoKsqDFfIWiy3gG4Y7IusGBjrBGoXRBboI',
  },
  OKP: { kty: 'OKP', crv: 'Ed25519', x: '6uUBY315TMcPB00xpRxePgcI41TD3mIQelNABiqSKVY' },
  RSA: {
    kty: 'RSA',
    n: '9EyCu4oysyweeUHHxG7LqXIEwy4JWZw8JXxs0FweMoAiR-lhtTevHWTnu8H3xyfRnIM6iMeHvGTw_b2oPCntqta2N4bH2LVa5LeyeRbzG8cVxoI8EaRmOTBt6rjiMrs8JnLmpJ7pCjA5jxbfZ9hrHEHLc1ZByAm8uUdLvHe9tU-wY4YhrRdnVVPkvbFKnR4MU6niBzOAeKpwosZvm8ZyP9Wf-TS24w6EvHA-Jzll-Uo7AlA0U0oEUs6rNMgM16xHNN2MMMtMQ8xYCA11uGc9UwfzkLRgd256dCUXK4MjuLbr0uMSP3nNUIywYdCZgjE8WaNCwXmk6eHfj_vv7rDrAQ',
    e: 'AQAB',
  },
} as const
const KEY_KIND: Readonly<Record<string, keyof typeof NOBODYS_KEYS>> = {
  EdDSA: 'OKP',
  Ed25519: 'OKP',
  PS256: 'RSA',
  RS256: 'RSA',
}

/**
 * Authenticates a client by `private_key_jwt` (RFC 7523 section 3, audience by RFC 10070) but for replay of the `jti`.
 * Throws `invalid_client` with one description for every cause; errors of `lookup` pass through.
 */
export async function verifyClientAssertion(assertion: string, options: AssertionOptions): Promise<ClientAssertion> {
  const client_id = peekClientId(assertion)
  const client = client_id === undefined ? undefined : await options.lookup(client_id)
  try {
    return await verify(assertion, client, options)
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code === 'invalid_client') throw cause
    throw refusal(cause.reason, cause)
  }
}

/** The client an assertion speaks of, not verified: only for looking up keys and counting. */
export function peekClientId(assertion: string): string | undefined {
  try {
    return clientIdSchema.safeParse(parseCompactJws(assertion).payload.sub).data
  } catch (cause) {
    if (cause instanceof OAuthError) return undefined
    throw cause
  }
}

async function verify(
  assertion: string,
  client: ClientKeys | undefined,
  { issuer, now, notBefore = 0 }: AssertionOptions,
): Promise<ClientAssertion> {
  const { alg, kid } = parseCompactJws(assertion).header
  const key = pickKey(client?.keys ?? [], alg, kid)
  const expected = { alg, typ: TYP, typMayBeAbsent: true }
  if (!client || !key) {
    await verifyCompactJws(assertion, NOBODYS_KEYS[KEY_KIND[alg] ?? 'EC'], expected).catch(() => undefined)
    throw refusal(client ? 'client_key_unknown' : 'client_unknown')
  }
  const { payload } = await verifyCompactJws(assertion, key.jwk, expected)
  const { iss, sub, aud, jti } = payload
  if (iss !== client.client_id || sub !== client.client_id) throw refusal('assertion_subject')
  if (!isSoleAudience(aud, issuer)) throw refusal('assertion_audience')
  if (typeof jti !== 'string' || !JTI.test(jti)) throw refusal('assertion_jti')
  const { exp, iat } = readTimes(payload, { now, notBefore, maxLifetime: CLIENT_ASSERTION_MAX_LIFETIME })
  // Without `iat` it may have been used as long ago as the longest lifetime.
  if (iat === undefined && notBefore > now - CLIENT_ASSERTION_MAX_LIFETIME) throw refusal('iat_before_epoch')
  return { client_id: client.client_id, jti, expires_at: exp + CLOCK_SKEW }
}

/** The named key, or the only one that may be used with the algorithm. */
function pickKey(keys: ClientKeys['keys'], alg: string, kid: JsonValue | undefined): PublicKey | undefined {
  const usable = keys.filter(key => key.algs.includes(alg) && (kid === undefined || key.kid === kid || key.jkt === kid))
  return usable.length === 1 ? usable[0] : undefined
}

function refusal(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', 'Client authentication failed.', { reason, cause })
}
