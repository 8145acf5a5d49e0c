import { delegatedGrants } from './delegated-grants.ts'
import { API_OF_BASIC, API_OF_JWT, type Estate, JWT_API } from './estate.ts'
import { type Batch, rawRequest } from './load/batch.ts'
import { mint } from './load/mint.ts'
import {
  agentGrants,
  apiCalls,
  clientCredentials,
  introspectionByBasic,
  introspectionByKey,
  TOKEN_MARK,
} from './load/token-requests.ts'
import type { Peer } from './peers/peer.ts'
import type { RemitPeer } from './peers/remit.ts'
import type { Kind } from './run-round.ts'

export type Peers = { readonly remit: RemitPeer; readonly bare: Peer; readonly oidc: Peer; readonly api: Peer }

/** Every workload at every peer that takes part in it; a name without a peer is Remit's own. */
export function kindsOf({ remit, bare, oidc, api }: Peers, estate: Estate): readonly Kind[] {
  const { issuer, token_endpoint, introspection_endpoint, jwks_uri } = remit.metadata
  const { appKey, introspectors } = estate
  const grants = agentGrants(remit.metadata, appKey)
  const ofTokens = (audience: string, mark: string, make: (token: string) => Buffer) => async (count: number) => {
    return await withTokens(remit, estate, { audience, count, make, mark })
  }
  const pages = (peer: Peer) => apiCalls(`${peer.origin}/pages/7`, estate.agents.solo.key)
  const byKey = introspectionByKey(issuer, introspection_endpoint, { client_id: JWT_API, key: introspectors.jwtKey })
  const byBasic = introspectionByBasic(introspection_endpoint, introspectors.basic)
  const keys = rawRequest('GET', jwks_uri, {})
  const [active, page] = ['"active":true', '"page":7']
  return [
    { name: 'client_credentials', peer: remit, prepare: tokens(clientCredentials(issuer, token_endpoint, appKey)) },
    { name: 'client_credentials/bare', peer: bare, prepare: tokens(atToken(bare, appKey)) },
    { name: 'client_credentials/oidc_provider', peer: oidc, prepare: tokens(atToken(oidc, appKey)) },
    { name: 'agent', peer: remit, prepare: tokens(grants(estate.agents.solo)) },
    { name: 'agent_delegated', peer: remit, prepare: async count => await delegatedGrants(remit, estate, count) },
    { name: 'introspection_basic', peer: remit, prepare: ofTokens(API_OF_BASIC, active, byBasic) },
    { name: 'introspection_private_key_jwt', peer: remit, prepare: ofTokens(API_OF_JWT, active, byKey) },
    { name: 'jwks', peer: remit, prepare: count => ({ requests: repeat(count, () => keys), mark: '"keys":[' }) },
    { name: 'verification', peer: api, issuer: remit, prepare: ofTokens(api.origin, page, pages(api)) },
    { name: 'verification/bare', peer: bare, issuer: remit, prepare: ofTokens(api.origin, page, pages(bare)) },
  ]
}

function atToken({ origin }: Peer, appKey: Estate['appKey']): () => Buffer {
  return clientCredentials(origin, `${origin}/token`, appKey)
}

function tokens(make: () => Buffer): (count: number) => Batch {
  return count => ({ requests: repeat(count, () => make()), mark: TOKEN_MARK })
}

/** Tokens of a round that are introspected or shown, in turn. */
const TOKENS = 32

type OfTokens = {
  readonly audience: string
  readonly count: number
  readonly make: (token: string) => Buffer
  readonly mark: string
}

async function withTokens(
  { metadata, origin }: RemitPeer,
  { appKey, agents }: Estate,
  { audience, count, make, mark }: OfTokens,
): Promise<Batch> {
  const grant = agentGrants(metadata, appKey)(agents.solo)
  const minted = await mint(
    origin,
    repeat(TOKENS, () => grant({ audience })),
  )
  return { requests: repeat(count, index => make(minted[index % TOKENS] ?? '')), mark }
}

function repeat<T>(count: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
