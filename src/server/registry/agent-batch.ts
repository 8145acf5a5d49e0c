import type { AgentBatch, AgentRegistration, BatchAnswer, RegistrationAnswer } from '../../protocol/agent.ts'
import { type BatchResult, OAuthError } from '../../protocol/errors.ts'
import { auditAct } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { Outcome } from './act.ts'
import { registerAgent } from './agent-registration.ts'

type Item = { readonly index: number; readonly body: AgentRegistration }
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
  const seen = new Set<string>()
  const judged: Judged[] = []
  // One order for all, so that two batches never wait for each other's agents crosswise.
  for (const item of registration_requests.map((body, index) => ({ body, index })).toSorted(byAgent)) {
    judged.push({ index: item.index, outcome: await judge(tx, caller, item, seen) })
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

/** A refusal is kept, so that one answer names them all; a server that cannot answer, or a bug, ends the batch. */
async function judge(
  tx: Context,
  caller: Caller,
  { body }: Item,
  seen: Set<string>,
): Promise<Outcome<RegistrationAnswer> | OAuthError> {
  const name = nameOf(body)
  if (seen.has(name)) {
    return new OAuthError('invalid_request', 'The agent stands in the batch twice; send one version of it.', {
      reason: 'batch_repeats_agent',
    })
  }
  seen.add(name)
  try {
    return await registerAgent(tx, caller, body)
  } catch (error) {
    if (error instanceof OAuthError && error.details.status !== 503) return error
    throw error
  }
}

function refusedBatch(requests: AgentBatch['registration_requests'], judged: readonly Judged[]): OAuthError {
  const results = judged.map(({ index, outcome }): BatchResult => {
    const agent_id = requests[index]?.agent_components.agent_id ?? ''
    if (!(outcome instanceof OAuthError)) return { agent_id, status: 'not_registered' }
    const { registration_id, existing_agent_id } = outcome.details
    return {
      agent_id,
      status: 'refused',
      error: outcome.code,
      error_description: outcome.message,
      ...(registration_id !== undefined && { registration_id }),
      ...(existing_agent_id !== undefined && { existing_agent_id }),
    }
  })
  return new OAuthError('invalid_request', 'No agent of the batch was registered; results says why.', {
    reason: 'batch_refused',
    results,
  })
}

function byAgent(a: Item, b: Item): number {
  const [left, right] = [nameOf(a.body), nameOf(b.body)]
  if (left === right) return a.index - b.index
  return left < right ? -1 : 1
}

function nameOf({ app_id, agent_components }: AgentRegistration): string {
  return `${app_id}/${agent_components.agent_id}`
}
