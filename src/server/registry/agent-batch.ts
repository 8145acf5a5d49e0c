import type { AgentRegistration, BatchAnswer, RegistrationAnswer } from '../../protocol/agent.ts'
import { type BatchResult, OAuthError } from '../../protocol/errors.ts'
import { auditAct } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { holdKeys } from '../store/agent-keys.ts'
import { agentLockName } from '../store/agents.ts'
import type { Outcome } from './act.ts'
import { type Entered, enterRegistration, registerEntered } from './agent-registration.ts'
import type { BatchItem } from './batch-item.ts'

type Items = readonly BatchItem<AgentRegistration>[]
type Placed = { readonly index: number; readonly body: AgentRegistration }
type Ready = { readonly index: number; readonly entered: Entered | OAuthError }
type Judged = { readonly index: number; readonly outcome: Outcome<RegistrationAnswer> | OAuthError }

/**
 * Registers all of these versions or none, inside `act` (protocol.md section 4). Each leaves its own audit row. Throws
 * `invalid_request` whose `results` say of every item what came of it, also of one that was malformed.
 */
export async function registerBatch(tx: Context, caller: Caller, items: Items): Promise<Outcome<BatchAnswer>> {
  const ready = await enterAll(tx, caller, items)
  const judged = items.flatMap((item, index): Judged[] => ('body' in item ? [] : [{ index, outcome: item.refusal }]))
  for (const { index, entered } of ready) {
    const outcome =
      entered instanceof OAuthError ? entered : await orRefusal(() => registerEntered(tx, caller, entered))
    judged.push({ index, outcome })
  }
  judged.sort((a, b) => a.index - b.index)
  const outcomes = judged.flatMap(({ outcome }) => (outcome instanceof OAuthError ? [] : [outcome]))
  if (outcomes.length < judged.length) throw refusedBatch(items, judged)
  for (const { audit } of outcomes) {
    await auditAct(tx, caller, { action: 'agent.register', details: {}, ...audit })
  }
  const registrations = outcomes.map(outcome => outcome.body)
  return { status: 200, body: { registrations }, audit: { details: { registered: registrations.length } } }
}

/**
 * Takes every lock of a batch before its first write about one: its agents in one order, then its keys. Single
 * registrations take them in this order too, so that nobody waits for anybody crosswise.
 */
async function enterAll(tx: Context, caller: Caller, items: Items): Promise<readonly Ready[]> {
  const seen = new Set<string>()
  const ready: Ready[] = []
  const placed = items.flatMap((item, index): Placed[] => ('body' in item ? [{ index, body: item.body }] : []))
  for (const { index, body } of placed.toSorted(byAgent)) {
    const name = `${body.app_id}/${body.agent_components.agent_id}`
    const entered = seen.has(name) ? repeated() : await orRefusal(() => enterRegistration(tx, caller, body))
    seen.add(name)
    ready.push({ index, entered })
  }
  const keys = ready.flatMap(({ entered }) => (entered instanceof OAuthError ? [] : entered.examined.keys))
  await holdKeys(
    tx,
    keys.map(key => key.jkt),
  )
  return ready
}

function repeated(): OAuthError {
  return new OAuthError('invalid_request', 'The agent stands in the batch twice; send one version of it.', {
    reason: 'duplicate_in_batch',
  })
}

/** A refusal is kept, so that one answer names them all; a server that cannot answer, or a bug, ends the batch. */
async function orRefusal<T>(fn: () => Promise<T>): Promise<T | OAuthError> {
  try {
    return await fn()
  } catch (error) {
    if (error instanceof OAuthError && error.details.status !== 503) return error
    throw error
  }
}

function refusedBatch(items: Items, judged: readonly Judged[]): OAuthError {
  const results = judged.map(({ index, outcome }): BatchResult => {
    const agent_id = agentIdOf(items[index])
    const named = agent_id === undefined ? {} : { agent_id }
    if (!(outcome instanceof OAuthError)) return { ...named, status: 'not_registered' }
    const { registration_id, existing_agent_id, checksum } = outcome.details
    return {
      ...named,
      status: 'refused',
      error: outcome.code,
      error_description: outcome.message,
      ...(registration_id !== undefined && { registration_id }),
      ...(existing_agent_id !== undefined && { existing_agent_id }),
      ...(checksum !== undefined && { checksum }),
    }
  })
  return new OAuthError('invalid_request', 'No agent of the batch was registered; results says why.', {
    reason: 'batch_refused',
    results,
  })
}

function agentIdOf(item: Items[number] | undefined): string | undefined {
  return item && ('body' in item ? item.body.agent_components.agent_id : item.id)
}

function byAgent(a: Placed, b: Placed): number {
  const [left, right] = [lockedName(a.body), lockedName(b.body)]
  if (left === right) return a.index - b.index
  return left < right ? -1 : 1
}

function lockedName({ app_id, agent_components }: AgentRegistration): string {
  return agentLockName(app_id, agent_components.agent_id)
}
