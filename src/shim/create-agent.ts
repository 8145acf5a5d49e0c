import { OAuthError } from '../protocol/errors.ts'
import { agentSubject } from '../protocol/names.ts'
import { epochSeconds } from '../protocol/time.ts'
import type { Agent, CallOptions } from './agent.ts'
import { type Step, stepOf, within } from './agent-context.ts'
import { type AgentKey, endorsedKey, storedKey } from './agent-key.ts'
import type { AgentOptions, ProtectedApi } from './agent-options.ts'
import { connect } from './authorization-server.ts'
import { clientIdentity } from './client-authentication.ts'
import { readComponents } from './components.ts'
import type { Execution } from './execution.ts'
import { signHandoff } from './handoff.ts'
import { mintToken } from './mint.ts'
import { apiOf } from './protected-api.ts'
import { attach, type ProtectedRequest, readRequest, sendable, wantsNonce } from './protected-fetch.ts'
import { beginStep } from './step.ts'
import { createTokenCache, type IntentToken, type TokenCache } from './token-cache.ts'

/**
 * One agent of this process, with a key of its own (protocol.md section 6; [D] calls this the client shim). Nothing is
 * asked of the server before the first call. Throws `invalid_request` for options that cannot work.
 */
export function createAgent(options: AgentOptions): Agent {
  const { issuer, access, agent_id } = options
  const send = options.fetch ?? fetch
  const now = options.now ?? (() => new Date())
  const seconds = () => epochSeconds(now())
  const client = clientIdentity(options.client)
  const sub = agentSubject(client.client_id, agent_id)
  const server = connect({ issuer, fetch: send })
  const self = Symbol(sub)
  const nonces = new Map<string, string>()
  const components = () => readComponents(options)
  let held: Promise<AgentKey> | undefined
  let own = createTokenCache(seconds)
  let ofExecutions = new WeakMap<Execution, TokenCache>()

  const key = async () => {
    held ??= (options.keyStore ? storedKey(options.keyStore) : endorsedKey(client, sub)).catch((error: unknown) => {
      held = undefined
      throw error
    })
    return await held
  }
  const minting = { issuer, server, client, agent_id, components, key, seconds }

  function cacheOf(step: Step | undefined): TokenCache {
    if (step?.workflow === undefined) return own
    const { execution } = step.workflow
    const cache = ofExecutions.get(execution) ?? createTokenCache(seconds)
    ofExecutions.set(execution, cache)
    return cache
  }

  async function tokenFor({ resource, scope }: ProtectedApi, step: Step | undefined): Promise<IntentToken> {
    const wanted = { resource, scope: step?.scope ?? scope, step }
    const name = JSON.stringify([resource, wanted.scope, step?.name])
    return await cacheOf(step).get(name, () => mintToken(minting, wanted))
  }

  function apiAt(url: string): ProtectedApi {
    const api = apiOf(access, url)
    if (api) return api
    throw new OAuthError('invalid_target', 'The URL belongs to none of the APIs in the access of this agent.', {
      reason: 'url_of_no_api',
    })
  }

  async function call(api: ProtectedApi, read: ProtectedRequest, init: RequestInit | undefined, asked: CallOptions) {
    const { request, body } = read
    const { origin } = new URL(request.url)
    const token = await tokenFor(api, stepOf(self))
    const headers = await attach(request.method, request.url, {
      ...{ token, key: await key(), iat: seconds(), nonce: nonces.get(origin), scope: asked.scope },
      body: asked.bindBody ? body : undefined,
    })
    const response = await send(request.url, sendable(read, init, headers))
    const nonce = response.headers.get('dpop-nonce')
    if (nonce !== null) nonces.set(origin, nonce)
    if (response.status === 401 && !wantsNonce(response)) cacheOf(stepOf(self)).drop(token.access_token)
    return response
  }

  return {
    agent_id,
    sub,
    async fetch(input, init, asked = {}) {
      stepOf(self)
      const url = input instanceof Request ? input.url : String(input)
      const api = apiOf(access, url)
      if (api === undefined) return await send(input, init)
      const bindBody = asked.bindBody ?? api.bindBody ?? false
      const read = await readRequest(input, init, bindBody)
      const response = await call(api, read, init, { ...asked, bindBody })
      if (!wantsNonce(response) || read.body === undefined) return response
      await response.body?.cancel()
      return await call(api, read, init, { ...asked, bindBody })
    },
    async headers(method, url, asked = {}) {
      const token = await tokenFor(apiAt(url), stepOf(self))
      const { body, nonce, scope } = asked
      return await attach(method, url, { token, key: await key(), iat: seconds(), nonce, body, scope })
    },
    async run(options_, work) {
      const step = beginStep(self, sub, options_)
      const { workflow } = step
      return await within({ sub, agent: self, step }, async () => {
        const [only, ...others] = options_.resource === undefined ? access : [apiAt(options_.resource)]
        // The step is entered before its work begins: what is refused or must be approved does nothing at all.
        if (workflow && only && others.length === 0) await tokenFor(only, step)
        return await work(workflow?.execution)
      })
    },
    async delegate(to, asked) {
      const step = stepOf(self)
      const api = access.find(({ resource }) => resource === asked.resource) ?? apiAt(asked.resource)
      const parent = await tokenFor(api, step)
      return await signHandoff({ issuer, sub, key: await key(), parent, step, iat: seconds() }, to, asked)
    },
    async identity() {
      const { jkt, holder } = await key()
      return { sub, jkt, jwk: holder.publicJwk }
    },
    components,
    changed() {
      own = createTokenCache(seconds)
      ofExecutions = new WeakMap()
    },
  }
}
