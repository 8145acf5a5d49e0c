import { AsyncLocalStorage } from 'node:async_hooks'
import { OAuthError } from '../protocol/errors.ts'
import type { JsonObject } from '../protocol/json.ts'
import type { Execution } from './execution.ts'

/** The step that an agent works in, resolved from what `run` was given. */
export type Step = {
  /** Tells its tokens from those of other steps. */
  readonly name: string
  readonly workflow?: { readonly execution: Execution; readonly workflow_step: string }
  readonly scope?: readonly string[]
  readonly arguments?: JsonObject
  readonly subject_token?: { readonly token: string; readonly type: string }
  /** The assertion that the task was handed over with, and when it ends, in epoch seconds. */
  readonly delegation?: { readonly assertion: string; readonly exp: number }
  readonly approvalWait: number
}

type Context = {
  readonly agent: symbol
  readonly sub: string
  /** Thumbprint of its key. */
  readonly jkt: string
  readonly step: Step
}

const contexts = new AsyncLocalStorage<Context>()

/** Does work as one agent in one step; whatever `work` awaits or starts is in it too. */
export async function within<T>(context: Context, work: () => Promise<T>): Promise<T> {
  return await contexts.run(context, work)
}

/**
 * The step in which this agent works now; undefined outside any `run`. Throws `invalid_request` in another agent's
 * work: there its key is not for use, whatever object of this process one holds.
 */
export function stepOf(agent: symbol): Step | undefined {
  const context = contexts.getStore()
  if (context === undefined || context.agent === agent) return context?.step
  throw anotherAgent()
}

/**
 * The step around the work that this agent is about to begin: its own, or that of whoever signed the task over to it;
 * undefined outside any. Throws `invalid_request` in anybody else's work.
 */
export function surroundingStep(
  agent: symbol,
  from: { readonly iss: string; readonly jkt: string } | undefined,
): { readonly step: Step; readonly isOwn: boolean } | undefined {
  const context = contexts.getStore()
  if (context === undefined) return undefined
  const isOwn = context.agent === agent
  const isHandedOver = from?.iss === context.sub && from.jkt === context.jkt
  if (isOwn || isHandedOver) return { step: context.step, isOwn }
  throw anotherAgent()
}

function anotherAgent(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'This is the work of another agent; let it hand the task over with delegate, and run it with that handoff.',
    { reason: 'another_agents_work' },
  )
}
