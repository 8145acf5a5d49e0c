import { API, APP, type BenchAgent } from '../estate.ts'
import { rawRequest } from './batch.ts'
import { assertionSigner, proofSigner, type SigningKey } from './signer.ts'

/** Stands in every answer that has a token. */
export const TOKEN_MARK = '"access_token":"ey'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const JSON_BODY = { 'Content-Type': 'application/json' }

type Client = { readonly client_id: string; readonly key: SigningKey }

/** Makes token requests of a client for itself (RFC 6749 section 4.4), the same at every peer. */
export function clientCredentials(issuer: string, token_endpoint: string, key: SigningKey): () => Buffer {
  const assertion = assertionSigner(key, APP, issuer)
  const proof = proofSigner(key, 'POST', token_endpoint)
  const fixed = `grant_type=client_credentials&scope=read&resource=${encodeURIComponent(API)}`
  const prefix = `${fixed}&client_assertion_type=${encodeURIComponent(ASSERTION_TYPE)}&client_assertion=`
  return () => rawRequest('POST', token_endpoint, { ...FORM, DPoP: proof() }, prefix + assertion())
}

/** Makes requests of the agent grant, for one agent at a time; `more` are further members of the body. */
export function agentGrants(
  { issuer, ajwt_intent_token_endpoint: url }: { readonly issuer: string; readonly ajwt_intent_token_endpoint: string },
  appKey: SigningKey,
): (agent: BenchAgent) => (more?: object) => Buffer {
  const assertion = assertionSigner(appKey, APP, issuer)
  return ({ agent_id, checksum, key }) => {
    const proof = proofSigner(key, 'POST', url)
    const fixed = {
      grant_type: 'agent_checksum',
      agent_id,
      computed_checksum: checksum,
      requested_scopes: ['read'],
      audience: API,
      client_assertion_type: ASSERTION_TYPE,
    }
    return more => {
      const body = JSON.stringify({ ...fixed, client_assertion: assertion(), ...more })
      return rawRequest('POST', url, { ...JSON_BODY, DPoP: proof() }, body)
    }
  }
}

/** Makes introspection requests (RFC 7662) of a client that authenticates by HTTP Basic. */
export function introspectionByBasic(url: string, basic: string): (token: string) => Buffer {
  const headers = { ...FORM, Authorization: `Basic ${basic}` }
  return token => rawRequest('POST', url, headers, `token=${token}`)
}

/** Makes introspection requests of a client that signs an assertion for each. */
export function introspectionByKey(issuer: string, url: string, { client_id, key }: Client): (token: string) => Buffer {
  const assertion = assertionSigner(key, client_id, issuer)
  const type = `client_assertion_type=${encodeURIComponent(ASSERTION_TYPE)}`
  return token => rawRequest('POST', url, FORM, `token=${token}&${type}&client_assertion=${assertion()}`)
}

/** Makes calls of an API with a token and a proof for the one call (RFC 9449 section 7). */
export function apiCalls(url: string, key: SigningKey): (token: string) => Buffer {
  const proof = proofSigner(key, 'GET', url)
  return token => rawRequest('GET', url, { Authorization: `DPoP ${token}`, DPoP: proof(token) })
}
