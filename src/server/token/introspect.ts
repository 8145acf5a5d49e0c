import { agentSubject } from '../../protocol/names.ts'
import type { ClientCredentials } from '../../protocol/token-request.ts'
import type { Context } from '../context.ts'
import { findDelegationChain } from '../store/delegations.ts'
import { claimReplays } from '../store/replay.ts'
import { findResource, findResourceOfClient, type Resource } from '../store/resources.ts'
import { revocationRefs, standingRevocation } from '../store/revocations.ts'
import { lapseOf } from '../store/standing.ts'
import type { TokenRow } from '../store/tokens.ts'
import { authenticateClient } from './client-authentication.ts'
import { asksForSigned, signIntrospection } from './introspection-jwt.ts'
import {
  type PassContext,
  STALE,
  type Stale,
  Undone,
  unlessStale,
  unlessUndone,
  withKnownRecords,
} from './known-records.ts'
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
  const { token, client_id } = await unauthenticatedPart(ctx, http, async () => {
    const { token, credentials } = readTokenParameter(http.body)
    return { token, client_id: await withKnownRecords(ctx, known => authenticate(known, http, credentials)) }
  })
  const own = await readOwnToken(ctx, token)
  const resource = own && (await resourceOf(ctx, own, client_id))
  const body = own && (await describe(ctx, own, { is_own: own.record.client_id === client_id, resource }))
  const answer = { body: body ?? INACTIVE }
  if (!asksForSigned(http.accept)) return answer
  // An API that takes one algorithm only must be able to read also that a token is none.
  const alg = (resource ?? (await findResourceOfClient(ctx, client_id)))?.signing_alg ?? 'ES256'
  return { ...answer, signed: await signIntrospection(ctx, { ...answer, client_id, alg }) }
}

/** Who asks, by records that have not changed: that, and the single use of an assertion, is the one write or read. */
async function authenticate(
  ctx: PassContext,
  http: TokenHttp,
  credentials: ClientCredentials,
): Promise<string | Stale> {
  const authenticated = await unlessStale(ctx, authenticateClient(ctx, http, credentials, false))
  if (authenticated === STALE) return STALE
  const { client, claims } = authenticated
  const rests = { ...ctx.known.rests(), now: ctx.now() }
  if (claims.length === 0) {
    const lapse = await lapseOf({ ...ctx, meeting: ctx.commits.reads }, rests)
    return lapse.changed || lapse.revoked ? STALE : client.client_id
  }
  const taken = await unlessUndone(
    ctx.commits.write(ctx, async tx => {
      const [lost, taken] = await Promise.all([lapseOf(tx, rests), claimReplays(tx, claims)])
      if (lost.changed || lost.revoked) throw new Undone()
      return taken
    }),
  )
  if (taken === STALE) return STALE
  const replayed = replayRefusal(taken)
  if (replayed) throw replayed
  return client.client_id
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
  if (await standingRevocation(ctx, revocationRefs(record), ctx.now())) return undefined
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
async function resourceOf(ctx: Context, { record }: OwnToken, client_id: string): Promise<Resource | undefined> {
  const resource = await findResource(ctx, record.resource)
  return resource?.status === 'active' && resource.client_id === client_id ? resource : undefined
}
