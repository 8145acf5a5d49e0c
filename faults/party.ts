import { randomUUID } from 'node:crypto'
import type { Agent } from '../demo/agents.ts'
import type { JsonObject } from '../src/protocol/json.ts'
import { ADMIN_SCOPES } from '../src/protocol/own-resources.ts'
import { type HolderKey, signClientAssertion, signDpopProof } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'
import { ask, type Question, type Reply } from './ask.ts'
import type { RemitNode } from './node.ts'

/** The names under which clients know the nodes; a request goes to whichever node it is sent to. */
export type Site = { readonly issuer: string; readonly adminUrl: string }

/** Rights that a party needs for a call of its own. */
export type Rights = { readonly resource: string; readonly scope: string }

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Own tokens live 300 s; one that is older than this is fetched anew. */
const RENEW_MS = 120_000

/** One OAuth client that chooses the node it speaks to, and can sign a request without sending it. */
export class Party {
  readonly site: Site
  readonly client_id: string
  readonly key: HolderKey
  readonly #tokens = new Map<string, { readonly token: string; readonly since: number }>()

  constructor(site: Site, client_id: string, key: HolderKey) {
    this.site = site
    this.client_id = client_id
    this.key = key
  }

  /** A request for a client's own token (RFC 6749 section 4.4). */
  async signClientToken({ resource, scope }: Rights): Promise<Question> {
    const form = { grant_type: 'client_credentials', resource, scope, ...(await this.#authentication()) }
    return this.#form('/oauth/token', form, { DPoP: await this.#proof('/oauth/token', this.key) })
  }

  /** A request for an intent token, with the agent's own key. */
  async signMint(agent: Agent, resource: string, more: JsonObject = {}): Promise<Question> {
    const path = '/intent/token'
    const body = {
      grant_type: 'urn:ietf:params:oauth:grant-type:agent_checksum',
      agent_id: agent.components.agent_id,
      computed_checksum: agent.checksum,
      requested_scopes: ['read'],
      audience: resource,
      ...(await this.#authentication()),
      ...more,
    }
    const headers = { 'Content-Type': 'application/json', DPoP: await this.#proof(path, agent.key), ...this.#host() }
    return { method: 'POST', path, headers, body: JSON.stringify(body) }
  }

  async signIntrospection(token: string): Promise<Question> {
    return this.#form('/oauth/introspect', { token, ...(await this.#authentication()) }, {})
  }

  async mint(node: RemitNode, agent: Agent, resource: string, more: JsonObject = {}): Promise<Reply> {
    return await ask(node.settings.port, await this.signMint(agent, resource, more))
  }

  async introspect(node: RemitNode, token: string): Promise<Reply> {
    return await ask(node.settings.port, await this.signIntrospection(token))
  }

  /** A call of the registration API with a token of its own. */
  async register(node: RemitNode, path: string, body: object, idempotencyKey?: string): Promise<Reply> {
    const rights = { resource: this.site.issuer, scope: 'register:intent register:workflow' }
    return await this.#protected(node, {
      rights,
      base: this.site.issuer,
      port: node.settings.port,
      path,
      body,
      idempotencyKey,
    })
  }

  /** A call of the admin API, with every right of it; without a body it is a GET. */
  async administer(node: RemitNode, path: string, body?: object, idempotencyKey?: string): Promise<Reply> {
    const { issuer, adminUrl } = this.site
    const rights = { resource: `${issuer}/admin`, scope: ADMIN_SCOPES.join(' ') }
    const call = {
      rights,
      base: adminUrl,
      port: node.settings.adminPort,
      path: `/admin/v1${path}`,
      body,
      idempotencyKey,
    }
    return await this.#protected(node, call)
  }

  /** Every item of an admin list. Throws where a page is refused. */
  async list(node: RemitNode, path: string): Promise<readonly JsonObject[]> {
    const items: JsonObject[] = []
    for (let cursor = ''; ; ) {
      const page = expect(await this.administer(node, `${path}?limit=200${cursor}`), 200)
      items.push(...objectsIn(page.items))
      if (typeof page.next_cursor !== 'string') return items
      cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`
    }
  }

  async #protected(node: RemitNode, call: Call): Promise<Reply> {
    const { rights, base, port, path, body, idempotencyKey } = call
    const access = await this.#access(node, rights)
    if (typeof access !== 'string') return access
    const method = body ? 'POST' : 'GET'
    const htu = `${base}${path}`.replace(/[?#].*/, '')
    const claims = { htm: method, htu, iat: now(), jti: randomUUID(), access_token: access }
    return await ask(port, {
      method,
      path,
      headers: {
        Host: new URL(base).host,
        Authorization: `DPoP ${access}`,
        DPoP: await signDpopProof(this.key, claims),
        ...(body && { 'Content-Type': 'application/json' }),
        ...(idempotencyKey !== undefined && { 'Idempotency-Key': idempotencyKey }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
  }

  /** A token of its own that is not old, or what was answered instead of one. */
  async #access(node: RemitNode, rights: Rights): Promise<string | Reply> {
    const name = `${rights.resource} ${rights.scope}`
    const known = this.#tokens.get(name)
    if (known && performance.now() - known.since < RENEW_MS) return known.token
    const answer = await ask(node.settings.port, await this.signClientToken(rights))
    const token = answer.body.access_token
    if (answer.status !== 200 || typeof token !== 'string') return answer
    this.#tokens.set(name, { token, since: performance.now() })
    return token
  }

  async #authentication() {
    const claims = { client_id: this.client_id, issuer: this.site.issuer, iat: now(), jti: randomUUID() }
    return { client_assertion_type: ASSERTION_TYPE, client_assertion: await signClientAssertion(this.key, claims) }
  }

  async #proof(path: string, key: HolderKey): Promise<string> {
    return await signDpopProof(key, { htm: 'POST', htu: `${this.site.issuer}${path}`, iat: now(), jti: randomUUID() })
  }

  #form(path: string, form: Record<string, string>, headers: Readonly<Record<string, string>>): Question {
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    return {
      method: 'POST',
      path,
      headers: { ...type, ...this.#host(), ...headers },
      body: `${new URLSearchParams(form)}`,
    }
  }

  #host() {
    return { Host: new URL(this.site.issuer).host }
  }
}

type Call = {
  readonly rights: Rights
  readonly base: string
  readonly port: number
  readonly path: string
  readonly body: object | undefined
  readonly idempotencyKey: string | undefined
}

/** The body of an answer that must have this status. Throws with what came instead. */
export function expect({ status, body, failed }: Reply, expected: number): JsonObject {
  if (status === expected) return body
  throw new Error(`expected ${expected}, saw ${status} ${failed ?? JSON.stringify(body)}`)
}

/** The objects among the elements of a JSON array. */
export function objectsIn(value: unknown): readonly JsonObject[] {
  if (!Array.isArray(value)) return []
  return value.filter(item => typeof item === 'object' && item !== null && !Array.isArray(item))
}

function now(): number {
  return epochSeconds(new Date())
}
