import { checkIssuerUrl } from '../protocol/issuer-url.ts'
import { thumbprintOf } from '../protocol/jwk.ts'
import type { KeySource } from './access-token.ts'
import type { RootKeys } from './delegation-proofs.ts'
import { type RemoteJwksOptions, remoteJwks } from './remote-jwks.ts'

/** Key sets kept at a time; a chain begins at few agents. */
const MAX_AGENTS = 256

/**
 * The registered keys of agents as their issuer publishes them (protocol.md section 2): one set an agent, kept as
 * `remoteJwks` keeps one. It throws `temporarily_unavailable` where there is none to judge by. Throws at once for an issuer
 * of plain http.
 */
export function remoteAgentKeys(issuer: string, options: RemoteJwksOptions = {}): RootKeys {
  checkIssuerUrl(issuer)
  const sources = new Map<string, KeySource>()

  function sourceOf(path: string): KeySource {
    const source = sources.get(path) ?? remoteJwks(`${issuer}${path}`, { ...options, mayBeEmpty: true })
    // Asked for last, dropped last.
    sources.delete(path)
    sources.set(path, source)
    const [oldest] = sources.keys()
    if (sources.size > MAX_AGENTS && oldest !== undefined) sources.delete(oldest)
    return source
  }

  return async (client_id, agent_id, jkt) => {
    const source = sourceOf(`/intent/agents/${encodeURIComponent(client_id)}/${encodeURIComponent(agent_id)}/jwks`)
    // Their kid is their thumbprint, but that is for the key itself to say.
    return await Promise.all((await source(jkt)).map(key => thumbprintOf({ ...key })))
  }
}
