import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { JsonObject } from '../src/protocol/json.ts'
import { type ServerMetadata, serverMetadataSchema } from '../src/protocol/metadata.ts'
import { type HolderKey, signClientAssertion, signDpopProof } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'

/** What came back over HTTP; `body` is empty where the answer was no JSON object. */
export type Answer = { readonly status: number; readonly body: JsonObject; readonly headers: Headers }

/** What an agent asks for; `workflow` names the step and what the app says is done already. */
export type IntentRequest = {
  readonly agent_id: string
  readonly computed_checksum: string
  readonly requested_scopes: readonly string[]
  readonly audience: string
  readonly workflow?: {
    readonly workflow_id: string
    readonly workflow_step: string
    readonly completed_steps: readonly string[]
    readonly chain: readonly string[]
  }
  /** Further members of the body. */
  readonly more?: JsonObject
}

/** Parts of a token request that are normally signed afresh: an attacker sends old ones again. */
export type Signed = { readonly proof?: string; readonly client_assertion?: string }

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const AGENT_GRANT = 'urn:ietf:params:oauth:grant-type:agent_checksum'
const REQUEST_TIMEOUT_MS = 30_000
const answerSchema = z.record(z.string(), z.json()).catch({})

/** One OAuth client of Remit, as an app would write it: a name, a key (`private_key_jwt`), and the newest DPoP nonce. */
export class RemitClient {
  readonly client_id: string
  readonly metadata: ServerMetadata
  readonly #key: HolderKey
  #nonce: string | undefined

  constructor(metadata: ServerMetadata, client_id: string, key: HolderKey) {
    this.metadata = metadata
    this.client_id = client_id
    this.#key = key
  }

  /** A token for the client itself (RFC 6749 section 4.4), bound to the client's key. */
  async clientToken(resource: string, scope: string): Promise<string> {
    const url = this.metadata.token_endpoint
    const answer = await this.#withNonce(async () => {
      const client_assertion = await this.signAssertion()
      const form = { grant_type: 'client_credentials', resource, scope, ...clientAuthentication(client_assertion) }
      return await send('POST', url, { DPoP: await this.signProof(this.#key) }, new URLSearchParams(form))
    })
    return z.object({ access_token: z.string() }).parse(expectStatus(answer, 200)).access_token
  }

  /** A short token for whoever a foreign issuer's ID token speaks of, bound to `key` (RFC 8693). */
  async exchange(
    subject_token: string,
    target: { readonly resource: string; readonly scope: string },
    key: HolderKey,
  ): Promise<string> {
    const answer = await this.#withNonce(async () => {
      const form = {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        ...{ subject_token, subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
        ...target,
        ...clientAuthentication(await this.signAssertion()),
      }
      const headers = { DPoP: await this.signProof(key) }
      return await send('POST', this.metadata.token_endpoint, headers, new URLSearchParams(form))
    })
    return z.object({ access_token: z.string() }).parse(expectStatus(answer, 200)).access_token
  }

  /** The same client with another key: for calls with tokens that are bound to it. */
  withKey(key: HolderKey): RemitClient {
    return new RemitClient(this.metadata, this.client_id, key)
  }

  /** Asks for an intent token with the agent's own key (draft-goswami-agentic-jwt-00 section 4). */
  async mint(request: IntentRequest, agentKey: HolderKey, signed: Signed = {}): Promise<Answer> {
    const { workflow, more, ...agent } = request
    const { chain, completed_steps, ...step } = workflow ?? {}
    return await this.#withNonce(async () => {
      const client_assertion = signed.client_assertion ?? (await this.signAssertion())
      const proof = signed.proof ?? (await this.signProof(agentKey, this.metadata.ajwt_intent_token_endpoint))
      const body = {
        grant_type: AGENT_GRANT,
        ...agent,
        ...(workflow && { workflow_enabled: true, ...step, delegation_context: { chain, completed_steps } }),
        ...more,
        ...clientAuthentication(client_assertion),
      }
      return await send('POST', this.metadata.ajwt_intent_token_endpoint, { DPoP: proof }, body)
    })
  }

  /** Calls a protected resource with a token and a proof for this one call (RFC 9449 section 7). */
  async call(method: string, url: string, access_token: string, body?: object): Promise<Answer> {
    return await callApi(method, url, access_token, this.#key, body)
  }

  /** Whether a token of this client still counts (RFC 7662). */
  async introspect(token: string): Promise<JsonObject> {
    const form = { token, ...clientAuthentication(await this.signAssertion()) }
    return expectStatus(await send('POST', this.metadata.introspection_endpoint, {}, new URLSearchParams(form)), 200)
  }

  /** One client assertion, good once (RFC 7523). */
  async signAssertion(): Promise<string> {
    const { issuer } = this.metadata
    return await signClientAssertion(this.#key, { client_id: this.client_id, issuer, iat: now(), jti: randomUUID() })
  }

  /** One DPoP proof for a token request, good once (RFC 9449 section 5). `nonce: false` leaves out the nonce. */
  async signProof(key: HolderKey, htu = this.metadata.token_endpoint, { nonce = true } = {}): Promise<string> {
    const claims = { htm: 'POST', htu, iat: now(), jti: randomUUID() }
    return await signDpopProof(key, { ...claims, ...(nonce && this.#nonce !== undefined && { nonce: this.#nonce }) })
  }

  /** Remembers the nonce of each answer and repeats a request once that was sent without one (RFC 9449 section 8). */
  async #withNonce(attempt: () => Promise<Answer>): Promise<Answer> {
    const known = this.#nonce
    const answer = await attempt()
    this.#nonce = answer.headers.get('dpop-nonce') ?? known
    if (answer.body.error !== 'use_dpop_nonce' || known !== undefined) return answer
    return await attempt()
  }
}

/** Where everything is (RFC 8414). */
export async function discover(issuer: string): Promise<ServerMetadata> {
  const answer = await send('GET', `${issuer}/.well-known/oauth-authorization-server`, {})
  return serverMetadataSchema.parse(expectStatus(answer, 200))
}

/** Calls a protected resource with a token and a fresh proof by `key`. */
export async function callApi(
  method: string,
  url: string,
  access_token: string,
  key: HolderKey,
  body?: object,
): Promise<Answer> {
  const htu = url.replace(/[?#].*/, '')
  const proof = await signDpopProof(key, { htm: method, htu, iat: now(), jti: randomUUID(), access_token })
  return await send(method, url, { Authorization: `DPoP ${access_token}`, DPoP: proof }, body)
}

/** One HTTP request: a form, JSON, or no body. */
export async function send(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<Answer> {
  const isForm = body instanceof URLSearchParams
  const type: Record<string, string> = body && !isForm ? { 'Content-Type': 'application/json' } : {}
  const response = await fetch(url, {
    method,
    headers: { ...type, ...headers },
    ...(body && { body: isForm ? body : JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: answerSchema.parse(parseJson(text)) }
}

/** The body of an answer that must have this status. Throws with what came instead. */
export function expectStatus({ status, body }: Answer, expected: number): JsonObject {
  if (status === expected) return body
  throw new Error(`expected status ${expected}, saw ${status} ${JSON.stringify(body)}`)
}

function clientAuthentication(client_assertion: string) {
  return { client_assertion_type: ASSERTION_TYPE, client_assertion }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function now(): number {
  return epochSeconds(new Date())
}
