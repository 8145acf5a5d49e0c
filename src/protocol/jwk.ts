import { calculateJwkThumbprint, exportJWK, exportSPKI, importSPKI, type JWK } from 'jose'
import { isCanonicalBase64url, isKid } from './compact-jws.ts'
import { isEd25519PublicKey, isP256Point } from './curve-points.ts'
import { sha256Base64url } from './digest.ts'
import { OAuthError } from './errors.ts'
import { canonicalJson } from './jcs.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/** The members that make the key and nothing else (RFC 7638 section 3.2). */
export type PublicJwk =
  | { kty: 'OKP'; crv: 'Ed25519'; x: string }
  | { kty: 'EC'; crv: 'P-256'; x: string; y: string }
  | { kty: 'RSA'; n: string; e: string }

/** A checked public key: its canonical JWK, its RFC 7638 SHA-256 thumbprint, the algorithms it may be used with. */
export type PublicKey = { jwk: PublicJwk; jkt: string; algs: readonly string[] }

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'] as const
const MAX_KEYS = 16
const PEM = /^-----BEGIN PUBLIC KEY-----\r?\n((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)-----END PUBLIC KEY-----(?:\r?\n)?$/
const MAX_PEM_LENGTH = 4096
/** One algorithm for each kind of key that an SPKI may hold here. */
const SPKI_ALGS = ['Ed25519', 'ES256', 'PS256'] as const

/**
 * Checks one public JWK of a client or an agent and reduces it to its canonical members, so that one key has one
 * thumbprint (RFC 8725 sections 3.4 and 3.5). Throws `invalid_request`.
 */
export async function importPublicJwk(input: unknown): Promise<PublicKey> {
  if (!isJsonObject(input)) throw refusal('The key is not a JWK.', 'malformed_jwk')
  if (PRIVATE_MEMBERS.some(name => Object.hasOwn(input, name))) {
    throw refusal('The key must not contain private members.', 'private_key_sent')
  }
  const jwk = readEd25519(input) ?? readP256(input) ?? readRsa(input)
  const algs = jwk && usableAlgs(input, jwk)
  if (!jwk || !algs) throw refusal('The key is weak, malformed or of an unknown kind.', 'weak_or_unknown_key')
  // At once: a thread's turn costs more than this hash (RFC 7638 section 3; the members are those that count).
  return { jwk, jkt: sha256Base64url(canonicalJson(jwk)), algs }
}

/** RFC 7638 SHA-256 thumbprint of a key that was checked before, which costs one hash. */
export async function thumbprintOf(jwk: JWK): Promise<string> {
  return await calculateJwkThumbprint(jwk, 'sha256')
}

/** Checks one PEM "PUBLIC KEY" (SPKI, RFC 7468 section 13) by the rules of `importPublicJwk`. Throws `invalid_request`. */
export async function parsePem(spki: string): Promise<PublicKey> {
  const body = spki.length <= MAX_PEM_LENGTH ? PEM.exec(spki)?.[1]?.replace(/[\r\n]/g, '') : undefined
  if (body === undefined) throw refusal('The key is not one PEM public key.', 'malformed_pem')
  const pem = `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----`
  for (const alg of SPKI_ALGS) {
    const key = await importSPKI(pem, alg, { extractable: true }).catch(() => undefined)
    if (!key) continue
    // Trailing bytes, compressed points and named-curve variants do not survive the round trip.
    const exported = (await exportSPKI(key)).replace(/-----[A-Z ]+-----|\s/g, '')
    if (exported === body) return importPublicJwk(await exportJWK(key))
  }
  throw refusal('The key is weak, malformed or of an unknown kind.', 'weak_or_unknown_key')
}

/** Checks a JWK Set of 1 to 16 public keys (RFC 7517 section 5); `kid`s are unique. Throws `invalid_request`. */
export async function parseJwks(input: unknown): Promise<readonly (PublicKey & { kid?: string })[]> {
  const entries = isJsonObject(input) ? input.keys : undefined
  if (!Array.isArray(entries) || entries.length < 1 || entries.length > MAX_KEYS) {
    throw refusal('The key set must have 1 to 16 keys.', 'malformed_jwks')
  }
  const keys: (PublicKey & { kid?: string })[] = []
  const kids = new Set<string>()
  for (const entry of entries) {
    const key = await importPublicJwk(entry)
    const kid = isJsonObject(entry) ? entry.kid : undefined
    if (kid === undefined) {
      keys.push(key)
    } else if (isKid(kid) && !kids.has(kid)) {
      kids.add(kid)
      keys.push({ ...key, kid })
    } else {
      throw refusal('A kid of the key set is malformed or not unique.', 'jwks_kid')
    }
  }
  return keys
}

function readEd25519({ kty, crv, x }: JsonObject): PublicJwk | undefined {
  if (kty !== 'OKP' || crv !== 'Ed25519') return undefined
  const point = octets(x)
  return typeof x === 'string' && point && isEd25519PublicKey(point) ? { kty, crv, x } : undefined
}

function readP256({ kty, crv, x, y }: JsonObject): PublicJwk | undefined {
  if (kty !== 'EC' || crv !== 'P-256' || typeof x !== 'string' || typeof y !== 'string') return undefined
  const [xBytes, yBytes] = [octets(x), octets(y)]
  if (xBytes?.length !== 32 || yBytes?.length !== 32) return undefined
  return isP256Point(xBytes, yBytes) ? { kty, crv, x, y } : undefined
}

function readRsa({ kty, n, e }: JsonObject): PublicJwk | undefined {
  if (kty !== 'RSA' || typeof n !== 'string' || typeof e !== 'string') return undefined
  const [modulus, exponent] = [octets(n), octets(e)]
  if (!modulus || !exponent || modulus[0] === 0 || exponent[0] === 0) return undefined
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  if (bits < 2048 || bits > 8192 || isEven(modulus)) return undefined
  // A long exponent makes each verification slow.
  if (exponent.length > 4 || isEven(exponent) || (exponent.length === 1 && exponent[0] === 1)) return undefined
  return { kty, n, e }
}

/** What the kind of key allows, narrowed by the JWK's own `alg`; undefined where `use`, `key_ops` or `alg` forbid all. */
function usableAlgs({ use, key_ops, alg }: JsonObject, jwk: PublicJwk): readonly string[] | undefined {
  if (use !== undefined && use !== 'sig') return undefined
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify'))) return undefined
  const algs = jwk.kty === 'OKP' ? ['EdDSA', 'Ed25519'] : jwk.kty === 'EC' ? ['ES256'] : ['PS256', 'RS256']
  if (alg === undefined) return algs
  if (typeof alg !== 'string' || !algs.includes(alg)) return undefined
  // EdDSA and Ed25519 are two names of one algorithm here (RFC 9864 section 2.2).
  return jwk.kty === 'OKP' ? algs : [alg]
}

function octets(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' && value.length <= 2048 && isCanonicalBase64url(value)
    ? Buffer.from(value, 'base64url')
    : undefined
}

function isEven(bytes: Uint8Array): boolean {
  return ((bytes.at(-1) ?? 0) & 1) === 0
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
