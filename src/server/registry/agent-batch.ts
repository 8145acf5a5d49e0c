import type { AgentBatch, AgentRegistration, BatchAnswer, RegistrationAnswer } from '../../protocol/agent.ts'
import { type BatchResult, OAuthError } from '../../protocol/errors.ts'
import { auditAct } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { holdKeys } from '../store/agent-keys.ts'
import { agentLockName } from '../store/agents.ts'
import type { Outcome } from './act.ts'
import { type Entered, enterRegistration, registerEntered } from './agent-registration.ts'

type Item = { readonly index: number; readonly body: AgentRegistration }
type Ready = { readonly index: number; readonly entered: Entered | OAuthError }
type Judged = { readonly index: number; readonly outcome: Outcome<RegistrationAnswer> | OAuthError }

/**
 * Registers all of these versions or none, inside `act` (protocol.md section 4). Each leaves its own audit row. Throws
 * `invalid_request` whose `results` say of every request what came of it.
 */
export async function registerBatch(
  tx: Context,
  caller: Caller,
  { registration_requests }: AgentBatch,
): Promise<Outcome<BatchAnswer>> {
  const ready = await enterAll(tx, caller, registration_requests)
  const judged: Judged[] = []
  for (const { index, entered } of ready) {
    const outcome =
      entered instanceof OAuthError ? entered : await orRefusal(() => registerEntered(tx, caller, entered))
    judged.push({ index, outcome })
  }
  judged.sort((a, b) => a.index - b.index)
  const outcomes = judged.flatMap(({ outcome }) => (outcome instanceof OAuthError ? [] : [outcome]))
  if (outcomes.length < judged.length) throw refusedBatch(registration_requests, judged)
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
async function enterAll(
  tx: Context,
  caller: Caller,
  requests: AgentBatch['registration_requests'],
): Promise<readonly Ready[]> {
  const seen = new Set<string>()
  const ready: Ready[] = []
  for (const { index, body } of requests.map((body, index) => ({ body, index })).toSorted(byAgent)) {
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

function refusedBatch(requests: AgentBatch['registration_requests'], judged: readonly Judged[]): OAuthError {
  const results = judged.map(({ index, outcome }): BatchResult => {
    const agent_id = requests[index]?.agent_components.agent_id ?? ''
    if (!(outcome instanceof OAuthError)) return { agent_id, status: 'not_registered' }
    const { registration_id, existing_agent_id, checksum } = outcome.details
    return {
      agent_id,
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

function byAgent(a: Item, b: Item): number {
  const [left, right] = [lockedName(a.body), lockedName(b.body)]
  if (left === right) return a.index - b.index
  return left < right ? -1 : 1
}

function lockedName({ app_id, agent_components }: AgentRegistration): string {
  return agentLockName(app_id, agent_components.agent_id)
}
