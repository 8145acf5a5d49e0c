import { OAuthError } from '../../protocol/errors.ts'
import { type PublicKey, parseJwks } from '../../protocol/jwk.ts'
import { Problem } from '../../protocol/problem.ts'
import { type ProofKey, withKeyObject } from '../../protocol/proof-keys.ts'
import { JWKS_COOLDOWN } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { FetchRefused } from '../fetch/fetch-refused.ts'
import { type Client, findClient } from '../store/clients.ts'
import { revokedAmong } from '../store/revocations.ts'
import type { ClientJwk, PublicJwk } from '../store/schema.ts'

export type ClientKey = PublicKey & { kid?: string }
/** A key with what verifies signatures by it. */
export type ClientSigner = ProofKey & { kid?: string }
type Keeper = Pick<Client, 'client_id' | 'status' | 'jwks' | 'jwks_uri'>

/**
 * The keys a client signs with now: those of its record, or those behind its `jwks_uri`, asked for again where none has
 * the `kid` that is looked for; empty where it has none. Never ours. Throws `temporarily_unavailable` where they cannot
 * be fetched and none are kept: a network that is down is no wrong key, and the client should try again.
 */
export async function clientKeys(ctx: Context, client: Keeper, kid?: string): Promise<readonly ClientKey[]> {
  return await keysOf(ctx, client, jwks_uri => ctx.remoteKeys.find(client.client_id, jwks_uri, kid))
}

/** `clientKeys`, ready to verify with. */
export async function clientSigners(ctx: Context, client: Keeper, kid?: string): Promise<readonly ClientSigner[]> {
  return (await clientKeys(ctx, client, kid)).map(withVerifier)
}

const inRecords = new WeakMap<object, Promise<readonly ClientSigner[]>>()

/** The keys in a record, read once as long as it is kept, revoked ones too; undefined where they are elsewhere. */
export async function signersInRecord({ jwks }: Pick<Client, 'jwks'>): Promise<readonly ClientSigner[] | undefined> {
  if (jwks === null) return undefined
  const known = inRecords.get(jwks) ?? parseJwks(jwks).then(keys => keys.map(withVerifier))
  inRecords.set(jwks, known)
  return await known
}

function withVerifier(key: ClientKey): ClientSigner {
  return { ...withKeyObject(key), ...(key.kid !== undefined && { kid: key.kid }) }
}

/** `clientKeys` inside a transaction: as they were fetched ahead of it, because no lock is held for a network. */
export async function keptClientKeys(tx: Context, client: Keeper): Promise<readonly ClientKey[]> {
  return await keysOf(tx, client, jwks_uri => tx.remoteKeys.kept(client.client_id, jwks_uri))
}

type Found = readonly ClientKey[] | undefined

async function keysOf(
  ctx: Context,
  client: Keeper,
  find: (jwks_uri: string) => Found | Promise<Found>,
): Promise<readonly ClientKey[]> {
  if (client.jwks !== null) return await withoutRevoked(ctx, await parseJwks(client.jwks))
  if (client.jwks_uri === null || client.status !== 'active') return []
  const keys = await find(client.jwks_uri)
  const theirs = keys?.filter(key => !isOurs(ctx, key))
  if (theirs) return await withoutRevoked(ctx, theirs)
  throw new OAuthError('temporarily_unavailable', "The client's keys cannot be fetched now; try again in a moment.", {
    reason: 'client_keys_unavailable',
    status: 503,
    retry_after: JWKS_COOLDOWN,
  })
}

/**
 * Has the keys behind a `jwks_uri` at hand before a transaction that will ask for them, `kid` among them, so that none
 * stays open for a fetch. What goes wrong shows in that transaction, which then finds none.
 */
export async function fetchKeysAhead(ctx: Context, client_id: string, kid: string): Promise<void> {
  const client = await findClient(ctx, client_id)
  if (client?.jwks_uri !== null && client?.status === 'active') {
    await ctx.remoteKeys.find(client_id, client.jwks_uri, kid)
  }
}

/** A client's keys in their canonical members, none of them ours or revoked of late. Throws `invalid_request`. */
export async function clientJwks(ctx: Context, jwks: unknown): Promise<{ keys: readonly ClientJwk[] }> {
  const keys = await parseJwks(jwks)
  if (keys.some(key => isOurs(ctx, key))) {
    throw new Problem('invalid_request', "A key is one of this server's own.", 'own_key')
  }
  if ((await withoutRevoked(ctx, keys)).length < keys.length) {
    throw new Problem('invalid_request', 'A key was revoked; it must be another one.', 'revoked_client_key')
  }
  return {
    keys: keys.map(({ jwk, kid, algs }) => ({ ...jwk, ...(kid !== undefined && { kid }), ...boundAlg(jwk, algs) })),
  }
}

/**
 * Fetches a `jwks_uri` before it is written into a record, outside any transaction (RFC 7591 section 3.2.2).
 * @returns what is wrong with it, for the act to throw, or undefined
 */
export async function tryJwksUri(ctx: Context, jwks_uri: string | undefined): Promise<Problem | undefined> {
  if (jwks_uri === undefined) return undefined
  try {
    const keys = await ctx.remoteKeys.fetch(jwks_uri)
    return keys.some(key => isOurs(ctx, key)) ? unusable("has a key of this server's own", 'own_key') : undefined
  } catch (error) {
    if (error instanceof FetchRefused) return unusable(SENTENCES[error.reason] ?? NO_KEYS, error.reason)
    throw error
  }
}

const NO_KEYS = 'does not answer with a JWK Set of usable public keys'
const NOT_PUBLIC = 'must be an https URL without credentials, at a public address'
const SENTENCES: Readonly<Record<string, string>> = {
  fetch_forbidden_url: NOT_PUBLIC,
  fetch_forbidden_address: NOT_PUBLIC,
  fetch_unreachable: 'cannot be reached from this server',
  fetch_timeout: 'does not answer in time',
}

/** A revoked key opens nothing while its entry stands: one that its client still publishes, or has no other than. */
export async function withoutRevoked(ctx: Context, keys: readonly ClientKey[]): Promise<readonly ClientKey[]> {
  const jkts = keys.map(key => key.jkt)
  const revoked = await revokedAmong(ctx, 'key', jkts, ctx.now())
  return keys.filter(key => !revoked.has(key.jkt))
}

function unusable(cause: string, reason: string): Problem {
  return new Problem('invalid_client_metadata', `The jwks_uri ${cause}.`, reason)
}

/** Whether it is a key with which this server signs. */
export function isOurs(ctx: Context, { jkt }: PublicKey): boolean {
  return ctx.keys.published().some(key => key.kid === jkt)
}

/** An RSA key that its owner bound to one algorithm stays bound to it (RFC 8725 section 3.1). */
function boundAlg({ kty }: PublicJwk, algs: readonly string[]): { alg?: string } {
  const [alg, ...others] = algs
  return kty === 'RSA' && alg !== undefined && others.length === 0 ? { alg } : {}
}
