import type { Step } from './agent-context.ts'
import type { ProtectedApi } from './agent-options.ts'
import type { Execution } from './execution.ts'
import { type Minting, mintToken } from './mint.ts'
import { createTokenCache, type IntentToken, type TokenCache } from './token-cache.ts'

/** The tokens of one agent: one cache for each run, and one for what belongs to none. */
export type AgentTokens = {
  /** The token for an API in a step, minted where there is none. Throws what the server refuses. */
  readonly tokenFor: (api: ProtectedApi, step: Step | undefined) => Promise<IntentToken>
  /** Forgets a token that an API refused. */
  readonly drop: (access_token: string, step: Step | undefined) => void
  /** Forgets all, and what is being minted. */
  readonly changed: () => void
}

type Caches = { readonly own: TokenCache; readonly ofExecutions: WeakMap<Execution, TokenCache> }

export function createAgentTokens(minting: Minting): AgentTokens {
  const fresh = (): Caches => ({ own: createTokenCache(minting.seconds), ofExecutions: new WeakMap() })
  let caches = fresh()

  function cacheOf({ own, ofExecutions }: Caches, step: Step | undefined): TokenCache {
    if (step?.workflow === undefined) return own
    const { execution } = step.workflow
    const cache = ofExecutions.get(execution) ?? createTokenCache(minting.seconds)
    ofExecutions.set(execution, cache)
    return cache
  }

  async function tokenFor(api: ProtectedApi, step: Step | undefined): Promise<IntentToken> {
    const asked = caches
    const wanted = { resource: api.resource, scope: step?.scope ?? api.scope, step }
    const name = JSON.stringify([wanted.resource, wanted.scope, step?.name])
    const token = await cacheOf(asked, step).get(name, () => mintToken(minting, wanted))
    // What was on its way when the agent changed is of the agent before.
    return asked === caches ? token : await tokenFor(api, step)
  }

  return {
    tokenFor,
    drop(access_token, step) {
      cacheOf(caches, step).drop(access_token)
    },
    changed() {
      caches = fresh()
    },
  }
}
