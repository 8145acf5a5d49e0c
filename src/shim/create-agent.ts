import { OAuthError } from '../protocol/errors.ts'
import { agentSubject } from '../protocol/names.ts'
import { checkNodeVersion } from '../protocol/node-version.ts'
import { epochSeconds } from '../protocol/time.ts'
import type { Agent, CallOptions } from './agent.ts'
import { stepOf, within } from './agent-context.ts'
import { type AgentKey, endorsedKey, storedKey } from './agent-key.ts'
import type { AgentOptions, ProtectedApi } from './agent-options.ts'
import { createAgentTokens } from './agent-tokens.ts'
import { connect } from './authorization-server.ts'
import { clientIdentity } from './client-authentication.ts'
import { readComponents } from './components.ts'
import { signHandoff } from './handoff.ts'
import { nonceOf } from './nonce-of.ts'
import { apiAt, apiNamed, apiOf, checkAccess, urlOfNoApi } from './protected-api.ts'
import {
  attach,
  isProofRefused,
  isRefused,
  type ProtectedRequest,
  readRequest,
  sendable,
  wantsNonce,
} from './protected-fetch.ts'
import { beginStep } from './step.ts'

checkNodeVersion(process.versions.node)

/**
 * One agent of this process, with a key of its own (protocol.md section 6; [D] calls this the client shim). Nothing is
 * asked of the server before the first call. Throws `invalid_request` for options that cannot work.
 */
export function createAgent(options: AgentOptions): Agent {
  const { issuer, access, agent_id } = options
  checkAccess(access)
  const send = options.fetch ?? fetch
  const now = options.now ?? (() => new Date())
  const seconds = () => epochSeconds(now())
  const client = clientIdentity(options.client)
  const sub = agentSubject(client.client_id, agent_id)
  const self = Symbol(sub)
  const key = once(() => (options.keyStore ? storedKey(options.keyStore) : endorsedKey(client, sub)))
  const components = () => readComponents(options)
  const server = connect(issuer, send)
  const tokens = createAgentTokens({ issuer, server, client, agent_id, components, key, seconds })
  const nonces = new Map<string, string>()

  async function call(api: ProtectedApi, read: ProtectedRequest, init: RequestInit | undefined, asked: CallOptions) {
    const { request, body } = read
    // What is called must be what was judged, whatever object named it.
    if (apiOf(access, request.url) !== api) throw urlOfNoApi()
    const { origin } = new URL(request.url)
    const step = stepOf(self)
    const token = await tokens.tokenFor(api, step)
    const headers = await attach(request.method, request.url, {
      ...{ token, key: await key(), iat: seconds(), nonce: nonces.get(origin), scope: asked.scope },
      body: asked.bindBody ? body : undefined,
    })
    const response = await send(request.url, sendable(read, init, headers))
    const nonce = nonceOf(response.headers)
    if (nonce !== undefined) nonces.set(origin, nonce)
    else if (isProofRefused(response)) nonces.delete(origin)
    if (isRefused(response)) tokens.drop(token.access_token, step)
    return response
  }

  return {
    agent_id,
    sub,
    async fetch(input, init, asked = {}) {
      stepOf(self)
      const api = apiOf(access, input instanceof Request ? input.url : (URL.parse(input)?.href ?? ''))
      if (api === undefined) return await send(input, init)
      const bindBody = asked.bindBody ?? api.bindBody ?? false
      const read = await readRequest(input, init, bindBody)
      const response = await call(api, read, init, { ...asked, bindBody })
      if (!wantsNonce(response) || read.body === undefined) return response
      await response.body?.cancel()
      return await call(api, read, init, { ...asked, bindBody })
    },
    async headers(method, url, { bindBody, body, nonce, scope } = {}) {
      const step = stepOf(self)
      const api = apiAt(access, url)
      const isBound = bindBody ?? api.bindBody ?? false
      if (isBound && body === undefined) throw bodyMissing()
      const token = await tokens.tokenFor(api, step)
      const named = isBound ? body : undefined
      return await attach(method, url, { token, key: await key(), iat: seconds(), nonce, body: named, scope })
    },
    refused({ authorization = '' }) {
      tokens.drop(authorization.replace('DPoP ', ''), stepOf(self))
    },
    async run(begun, work) {
      const [only, ...others] = begun.resource === undefined ? access : [apiNamed(access, begun.resource)]
      const step = await beginStep({ agent: self, sub, issuer }, begun)
      const { workflow } = step
      return await within({ agent: self, sub, jkt: (await key()).jkt, step }, async () => {
        // The step is entered before its work begins: what is refused or must be approved does nothing at all.
        if (workflow && only && others.length === 0) await tokens.tokenFor(only, step)
        return await work(workflow?.execution)
      })
    },
    async delegate(to, asked) {
      const step = stepOf(self)
      const parent = await tokens.tokenFor(apiNamed(access, asked.resource), step)
      return await signHandoff({ issuer, sub, key: await key(), parent, step, iat: seconds() }, to, asked)
    },
    async identity() {
      const { jkt, holder } = await key()
      return { sub, jkt, jwk: holder.publicJwk }
    },
    components,
    changed: tokens.changed,
  }
}

/** One key for all that ask at once; a failure is forgotten, so that the next tries again. */
function once(make: () => Promise<AgentKey>): () => Promise<AgentKey> {
  let made: Promise<AgentKey> | undefined
  return async () => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return await made
  }
}

function bodyMissing(): OAuthError {
  return new OAuthError('invalid_request', 'The proof is to name the body; give its bytes, empty ones for none.', {
    reason: 'body_not_given',
  })
}
