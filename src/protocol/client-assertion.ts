import { type CompactJws, parseCompactJws } from './compact-jws.ts'
import { OAuthError } from './errors.ts'
import type { JsonValue } from './json.ts'
import { importPublicJwk } from './jwk.ts'
import { isSoleAudience, JTI } from './jwt-claims.ts'
import { readTimes } from './jwt-times.ts'
import { clientIdSchema } from './names.ts'
import { type ProofKey, withKeyObject } from './proof-keys.ts'
import { CLIENT_ASSERTION_MAX_LIFETIME, CLOCK_SKEW } from './time.ts'
import { verifyParsedJws } from './verify-jws.ts'

export type ClientKeys = { client_id: string; keys: readonly (ProofKey & { kid?: string })[] }

export type AssertionOptions = {
  issuer: string
  /** Epoch seconds. */
  now: number
  /** Epoch seconds: what was, or may have been, signed before is refused. */
  notBefore?: number
  /** Keys of a client; with the `kid` that the assertion names, not verified. */
  lookup: (client_id: string, kid: string | undefined) => Promise<ClientKeys | undefined>
}

export type ClientAssertion = {
  client_id: string
  jti: string
  /** Thumbprint of the key that signed it. */
  jkt: string
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
  const jws = await asClientError(async () => parseCompactJws(assertion))
  const { kid } = jws.header
  const client_id = clientIdSchema.safeParse(jws.payload.sub).data
  const named = typeof kid === 'string' ? kid : undefined
  const client = client_id === undefined ? undefined : await options.lookup(client_id, named)
  return await asClientError(() => verify(jws, client, options))
}

async function asClientError<T>(part: () => Promise<T>): Promise<T> {
  try {
    return await part()
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code === 'invalid_client') throw cause
    throw refusal(cause.reason, cause)
  }
}

async function verify(
  jws: CompactJws,
  client: ClientKeys | undefined,
  { issuer, now, notBefore = 0 }: AssertionOptions,
): Promise<ClientAssertion> {
  const { alg, kid } = jws.header
  const key = pickKey(client?.keys ?? [], alg, kid)
  const expected = { alg, typ: TYP, typMayBeAbsent: true }
  if (!client || !key) {
    const nobody = withKeyObject(await importPublicJwk({ ...NOBODYS_KEYS[KEY_KIND[alg] ?? 'EC'] }))
    await verifyParsedJws(jws, verifierOf(nobody), expected).catch(() => undefined)
    throw refusal(client ? 'client_key_unknown' : 'client_unknown')
  }
  await verifyParsedJws(jws, verifierOf(key), expected)
  const { payload } = jws
  const { iss, sub, aud, jti } = payload
  if (iss !== client.client_id || sub !== client.client_id) throw refusal('assertion_subject')
  if (!isSoleAudience(aud, issuer)) throw refusal('assertion_audience')
  if (typeof jti !== 'string' || !JTI.test(jti)) throw refusal('assertion_jti')
  const { exp, iat } = readTimes(payload, { now, notBefore, maxLifetime: CLIENT_ASSERTION_MAX_LIFETIME })
  // Without `iat` it may have been used as long ago as the longest lifetime.
  if (iat === undefined && notBefore > now - CLIENT_ASSERTION_MAX_LIFETIME) throw refusal('iat_before_epoch')
  return { client_id: client.client_id, jti, jkt: key.jkt, expires_at: exp + CLOCK_SKEW }
}

/** The named key, or the only one that may be used with the algorithm. */
function pickKey(keys: ClientKeys['keys'], alg: string, kid: JsonValue | undefined): ProofKey | undefined {
  const usable = keys.filter(key => key.algs.includes(alg) && (kid === undefined || key.kid === kid || key.jkt === kid))
  return usable.length === 1 ? usable[0] : undefined
}

/** RSA goes to another thread, and there from its JWK. */
function verifierOf({ jwk, key }: ProofKey) {
  return jwk.kty === 'RSA' ? jwk : key
}

function refusal(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', 'Client authentication failed.', { reason, cause })
}
