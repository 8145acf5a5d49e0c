import { OAuthError } from '../protocol/errors.ts'
import type { Step } from './agent-context.ts'
import type { ProtectedApi } from './agent-options.ts'
import type { Execution } from './execution.ts'
import { type Minting, mintToken } from './mint.ts'
import { createTokenCache, type IntentToken, type TokenCache } from './token-cache.ts'
import { withApproval } from './with-approval.ts'

/** The tokens of one agent: one cache for each run, and one for what belongs to none. */
export type AgentTokens = {
  /** The token for an API in a step, minted where there is none. Throws what the server refuses. */
  readonly tokenFor: (api: ProtectedApi, step: Step | undefined) => Promise<IntentToken>
  /** Forgets a token that an API refused. */
  readonly drop: (access_token: string, step: Step | undefined) => void
  /** Forgets all, and what is being minted. */
  readonly changed: () => void
}

const MAX_TURNS = 3

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

  async function tokenFor(api: ProtectedApi, step: Step | undefined, turn = 1): Promise<IntentToken> {
    const asked = caches
    const wanted = { resource: api.resource, scope: step?.scope ?? api.scope, step }
    const name = JSON.stringify([wanted.resource, wanted.scope, step?.name])
    const mint = async () => await cacheOf(asked, step).get(name, () => mintToken(minting, wanted))
    // Each waits as long as its own step is willing to: nobody waits for another's approval.
    const token = await withApproval(step, mint)
    if (asked === caches) return token
    // What was on its way when the agent changed is of the agent before.
    if (turn < MAX_TURNS) return await tokenFor(api, step, turn + 1)
    throw new OAuthError('temporarily_unavailable', 'The agent changes faster than a token can be had.', {
      reason: 'keeps_changing',
    })
  }

  return {
    tokenFor: async (api, step) => await tokenFor(api, step),
    drop(access_token, step) {
      cacheOf(caches, step).drop(access_token)
    },
    changed() {
      caches = fresh()
    },
  }
}
