import { agentSubject } from '../../protocol/names.ts'
import type { ClientCredentials } from '../../protocol/token-request.ts'
import type { Context } from '../context.ts'
import { findDelegationChain } from '../store/delegations.ts'
import { Undone } from '../store/group-commit.ts'
import { claimReplays, type ReplayClaim } from '../store/replay.ts'
import { findResourceOfClient, type Resource } from '../store/resources.ts'
import { revocationRefs } from '../store/revocations.ts'
import { type Lost, lapseOf, type Standing } from '../store/standing.ts'
import type { TokenRow } from '../store/tokens.ts'
import { authenticateClient } from './client-authentication.ts'
import { asksForSigned, signIntrospection } from './introspection-jwt.ts'
import { type PassContext, STALE, type Stale, unlessStale, unlessUndone, withKnownRecords } from './known-records.ts'
import { type OwnToken, readOwnToken } from './own-token.ts'
import { replayRefusal } from './refusal.ts'
import type { TokenHttp } from './token-http.ts'
import { readTokenParameter } from './token-parameter.ts'
import { unauthenticatedPart } from './unauthenticated.ts'

const INACTIVE = { active: false }

/** An answer in both forms that a caller may ask for: `signed` is its JWT (RFC 9701). */
export type IntrospectionAnswer = {
  readonly body: Readonly<Record<string, unknown>>
  readonly signed?: string
}

/**
 * RFC 7662: the claims as issued, to the token's own client and to the resource's own client; exactly
 * `{"active": false}` to everyone else and for everything else (protocol.md section 7), in a JWT where the request asks
 * for one. 503, never a guess, when storage is in doubt.
 */
export async function introspect(ctx: Context, http: TokenHttp): Promise<IntrospectionAnswer> {
  const { client_id, resource, body } = await unauthenticatedPart(ctx, http, async () => {
    const { token, credentials } = readTokenParameter(http.body)
    return await withKnownRecords(ctx, known => pass(known, http, { token, credentials }))
  })
  const answer = { body: body ?? INACTIVE }
  if (!asksForSigned(http.accept)) return answer
  // An API that takes one algorithm only must be able to read also that a token is none.
  const alg = (resource ?? (await findResourceOfClient(ctx, client_id)))?.signing_alg ?? 'ES256'
  return { ...answer, signed: await signIntrospection(ctx, { ...answer, client_id, alg }) }
}

type Sent = { readonly token: string; readonly credentials: ClientCredentials }
type Found = {
  readonly client_id: string
  readonly resource: Resource | undefined
  readonly body: IntrospectionAnswer['body'] | undefined
}

/** One pass with what is known; the single use of an assertion is its one write, else it only reads. */
async function pass(ctx: PassContext, http: TokenHttp, { token, credentials }: Sent): Promise<Found | Stale> {
  const authenticated = await unlessStale(ctx, authenticateClient(ctx, http, credentials, false))
  if (authenticated === STALE) return STALE
  const { client, claims } = authenticated
  const { client_id } = client
  const own = await readOwnToken(ctx, token)
  const resource = own && (await resourceOf(ctx, own, client_id))
  const { records, refs } = ctx.known.rests()
  const rests = { records, refs: [...refs, ...(own ? revocationRefs(own.record) : [])], now: ctx.now() }
  const lost = await confirm(ctx, rests, claims)
  if (lost.changed || lost.revoked.some(ref => refs.includes(ref))) return STALE
  const is_own = own?.record.client_id === client_id
  const body = own && lost.revoked.length === 0 ? await describe(ctx, own, { is_own, resource }) : undefined
  return { client_id, resource, body }
}

/** Reads again what the answer rests on, and claims what may be used once. Throws where that was used before. */
async function confirm(ctx: PassContext, rests: Standing, claims: readonly ReplayClaim[]): Promise<Lost> {
  if (claims.length === 0) return await lapseOf(ctx, rests)
  const written = await unlessUndone(
    ctx.commits.write(ctx, async tx => {
      const [lost, taken] = await Promise.all([lapseOf(tx, rests), claimReplays(tx, claims)])
      if (lost.changed) throw new Undone()
      return { lost, taken }
    }),
  )
  if (written === STALE) return { changed: true, revoked: [] }
  const replayed = replayRefusal(written.taken)
  if (replayed) throw replayed
  return written.lost
}

type Asking = { readonly is_own: boolean; readonly resource: Resource | undefined }

async function describe(
  ctx: Context,
  { claims, record }: OwnToken,
  { is_own, resource }: Asking,
): Promise<IntrospectionAnswer['body'] | undefined> {
  if (!is_own && !resource) return undefined
  // A restore forgot what was revoked since its backup.
  if (claims.iat < ctx.notBefore || record.revoked_at !== null) return undefined
  const maySeeChain = record.agent_id !== null && (is_own || resource?.chain_disclosure === 'actors')
  const chain = maySeeChain ? { chain: await chainOf(ctx, record) } : {}
  return { active: true, token_type: record.token_type, ...claims, ...chain }
}

/** Subject names, root first: from our record, also where the token itself shows less (protocol.md section 7). */
async function chainOf(ctx: Context, { client_id, agent_id, delegation_id }: TokenRow): Promise<readonly string[]> {
  const chain = delegation_id === null ? undefined : await findDelegationChain(ctx, delegation_id)
  return chain ?? [agentSubject(client_id, agent_id ?? '')]
}

/** The API that the token is for, where the caller is its own client now. */
async function resourceOf(ctx: PassContext, { record }: OwnToken, client_id: string): Promise<Resource | undefined> {
  const resource = await ctx.known.resource(record.resource)
  return resource?.status === 'active' && resource.client_id === client_id ? resource : undefined
}
