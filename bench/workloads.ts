import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { z } from 'zod'
import { accessTokenClaimsSchema } from '../src/protocol/claims.ts'
import { signDelegation } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'
import { API, API_OF_BASIC, API_OF_JWT, APP, type BenchAgent, type Estate, JWT_API, WORKFLOW } from './estate.ts'
import { type Batch, rawRequest } from './load/batch.ts'
import { closedLoop, openConnections } from './load/closed-loop.ts'
import { assertionSigner, type BenchKey, proofSigner } from './load/signer.ts'
import type { Peer } from './peers/peer.ts'
import type { RemitPeer } from './peers/remit.ts'

/** One thing that is measured at one peer: makes ready, just before a round, what the round sends. */
export type Kind = { readonly name: string; readonly peer: Peer; readonly prepare: (count: number) => Promise<Batch> }

export type Peers = { readonly remit: RemitPeer; readonly bare: Peer; readonly oidc: Peer; readonly api: Peer }

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const JSON_BODY = { 'Content-Type': 'application/json' }
const TOKEN = '"access_token":"ey'
/** Executions at a time, each with a delegation: one row must not be what everybody waits for. */
const EXECUTIONS = 64
/** Tokens that are introspected or shown, in turn. */
const TOKENS = 32

/** Every workload at every peer that takes part in it. */
export function kindsOf({ remit, bare, oidc, api }: Peers, estate: Estate): readonly Kind[] {
  const { introspection_endpoint, jwks_uri } = remit.metadata
  const { basic, jwtKey } = estate.introspectors
  const signJwt = assertionSigner(jwtKey, JWT_API, remit.issuer)
  const jwks = rawRequest('GET', jwks_uri, {})
  const introspection = (audience: string, head: Readonly<Record<string, string>>, more: () => object) => {
    return async (count: number) => {
      const tokens = await mintTokens(remit, estate, audience, TOKENS)
      const requests = repeat(count, index => {
        const form = new URLSearchParams({ token: tokens[index % TOKENS] ?? '', ...more() })
        return rawRequest('POST', introspection_endpoint, { ...FORM, ...head }, form.toString())
      })
      return { requests, mark: '"active":true' }
    }
  }
  const byKey = () => ({ client_assertion_type: ASSERTION_TYPE, client_assertion: signJwt() })
  return [
    clientCredentials('client_credentials', remit, remit.metadata.token_endpoint, estate.appKey),
    clientCredentials('client_credentials/bare', bare, `${bare.origin}/token`, estate.appKey),
    clientCredentials('client_credentials/oidc_provider', oidc, `${oidc.origin}/token`, estate.appKey),
    {
      name: 'agent',
      peer: remit,
      prepare: async count =>
        agentGrants(
          remit,
          estate,
          'solo',
          repeat(count, () => ({})),
        ),
    },
    { name: 'agent_delegated', peer: remit, prepare: async count => await delegatedGrants(remit, estate, count) },
    {
      name: 'introspection_basic',
      peer: remit,
      prepare: introspection(API_OF_BASIC, { Authorization: `Basic ${basic}` }, () => ({})),
    },
    { name: 'introspection_private_key_jwt', peer: remit, prepare: introspection(API_OF_JWT, {}, byKey) },
    { name: 'jwks', peer: remit, prepare: async count => ({ requests: repeat(count, () => jwks), mark: '"keys":[' }) },
    { name: 'verification', peer: api, prepare: async count => await calls(remit, estate, api, api, count) },
    { name: 'verification/bare', peer: bare, prepare: async count => await calls(remit, estate, api, bare, count) },
  ]
}

function clientCredentials(name: string, peer: Peer, url: string, key: BenchKey): Kind {
  const assertion = assertionSigner(key, APP, peer.origin)
  const proof = proofSigner(key, 'POST', url)
  const fixed = `grant_type=client_credentials&scope=read&resource=${encodeURIComponent(API)}`
  const prefix = `${fixed}&client_assertion_type=${encodeURIComponent(ASSERTION_TYPE)}&client_assertion=`
  const request = () => rawRequest('POST', url, { ...FORM, DPoP: proof() }, prefix + assertion())
  return { name, peer, prepare: async count => ({ requests: repeat(count, request), mark: TOKEN }) }
}

/** One request of the agent grant for each of these additions to its body. */
export function agentGrants(
  remit: RemitPeer,
  { appKey, agents }: Pick<Estate, 'appKey' | 'agents'>,
  name: keyof Estate['agents'],
  additions: readonly object[],
): Batch {
  return { requests: grantRequests(remit, appKey, agents[name], additions), mark: TOKEN }
}

export function grantRequests(
  { metadata, issuer }: RemitPeer,
  appKey: BenchKey,
  { components, checksum, key }: BenchAgent,
  additions: readonly object[],
): readonly Buffer[] {
  const url = metadata.ajwt_intent_token_endpoint
  const assertion = assertionSigner(appKey, APP, issuer)
  const proof = proofSigner(key, 'POST', url)
  const fixed = {
    grant_type: 'agent_checksum',
    agent_id: components.agent_id,
    computed_checksum: checksum,
    requested_scopes: ['read'],
    audience: API,
    client_assertion_type: ASSERTION_TYPE,
  }
  return additions.map(more => {
    const body = JSON.stringify({ ...fixed, client_assertion: assertion(), ...more })
    return rawRequest('POST', url, { ...JSON_BODY, DPoP: proof() }, body)
  })
}

/**
 * The delegate mints below the token of the step's own agent, in executions of its own making: each assertion is shown
 * first here, and then again for renewals (protocol.md section 6).
 */
async function delegatedGrants(remit: RemitPeer, estate: Estate, count: number): Promise<Batch> {
  const entries = agentGrants(
    remit,
    estate,
    'lead',
    repeat(EXECUTIONS, () => WORKFLOW),
  )
  const parents = await mint(remit, entries)
  const additions = await Promise.all(
    parents.map(async token => {
      const { jti: parent_jti, intent } = accessTokenClaimsSchema.parse(decodeJwt(token))
      const execution_id = intent?.execution_id ?? ''
      const iat = epochSeconds(new Date())
      const delegation_assertion = await signDelegation(estate.agents.lead.key, {
        iss: `agent:${APP}:lead`,
        sub: `agent:${APP}:hand`,
        aud: remit.issuer,
        ...{ parent_jti, jkt: estate.agents.hand.key.kid, scope: 'read', resource: [API] },
        ...{ workflow_step: WORKFLOW.workflow_step, execution_id, iat, exp: iat + 600, jti: randomUUID() },
      })
      return { ...WORKFLOW, execution_id, delegation_assertion }
    }),
  )
  return agentGrants(
    remit,
    estate,
    'hand',
    repeat(count, index => additions[index % EXECUTIONS] ?? {}),
  )
}

/** Calls of an API with one of some tokens and a fresh proof each. `peer` gets the calls, whatever API the tokens are for. */
async function calls(remit: RemitPeer, estate: Estate, api: Peer, peer: Peer, count: number): Promise<Batch> {
  const url = `${peer.origin}/pages/7`
  const tokens = await mintTokens(remit, estate, api.origin, TOKENS)
  const proof = proofSigner(estate.agents.solo.key, 'GET', url)
  const requests = repeat(count, index => {
    const token = tokens[index % TOKENS] ?? ''
    return rawRequest('GET', url, { Authorization: `DPoP ${token}`, DPoP: proof(token) })
  })
  return { requests, mark: '"page":7' }
}

async function mintTokens(remit: RemitPeer, estate: Estate, audience: string, count: number) {
  return await mint(
    remit,
    agentGrants(
      remit,
      estate,
      'solo',
      repeat(count, () => ({ audience })),
    ),
  )
}

/** The tokens of a batch, past any clock. */
async function mint(remit: RemitPeer, batch: Batch): Promise<readonly string[]> {
  const tokens: string[] = []
  const connections = await openConnections(remit.origin)
  try {
    await closedLoop(connections, batch, body => {
      tokens.push(z.object({ access_token: z.string() }).parse(JSON.parse(body.toString())).access_token)
    })
  } finally {
    for (const { close } of connections) close()
  }
  return tokens
}

function repeat<T>(count: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
