import { type BatchResult, OAuthError } from '../../protocol/errors.ts'
import type { WorkflowAnswer, WorkflowBatchAnswer, WorkflowRegistration } from '../../protocol/workflow.ts'
import { auditAct } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { Outcome } from './act.ts'
import type { BatchItem } from './batch-item.ts'
import { registerWorkflow } from './workflows.ts'

type Items = readonly BatchItem<WorkflowRegistration>[]
type Placed = { readonly at: number; readonly name: string; readonly body: WorkflowRegistration }
type Judged = Outcome<WorkflowAnswer> | OAuthError

/**
 * Registers several workflows or none of them (protocol.md section 2), inside `act`. Each leaves an audit row of its own,
 * under the client whose workflow it is. Throws `invalid_request` that names each one: the refused with their reason, the
 * others as not registered.
 */
export async function registerWorkflows(
  tx: Context,
  caller: Caller,
  items: Items,
): Promise<Outcome<WorkflowBatchAnswer>> {
  const judged = await judgeAll(tx, caller, items)
  const results = items.map((item, at) => ('body' in item ? judged.get(at) : item.refusal))
  const outcomes = results.flatMap(result => (result === undefined || result instanceof OAuthError ? [] : [result]))
  if (outcomes.length < items.length) throw refusedBatch(items, results)
  for (const { audit } of outcomes) await auditAct(tx, caller, { action: 'workflow.register', details: {}, ...audit })
  const workflows = outcomes.map(outcome => outcome.body)
  return { status: 200, body: { workflows }, audit: { details: { registered: workflows.length } } }
}

/** Judges those that are in order by themselves; of one workflow the first. @returns by place in the batch */
async function judgeAll(tx: Context, caller: Caller, items: Items): Promise<ReadonlyMap<number, Judged>> {
  const placed = items.flatMap((item, at): Placed[] => {
    if (!('body' in item)) return []
    const { app_id = caller.client_id, workflow_id } = item.body
    return [{ at, name: `${app_id}/${workflow_id}`, body: item.body }]
  })
  const seen = new Set<string>()
  const judged = new Map<number, Judged>()
  for (const { at, name, body } of placed.toSorted(byName)) {
    judged.set(at, seen.has(name) ? repeated() : await attempt(tx, caller, body))
    seen.add(name)
  }
  return judged
}

/** Sorted, so that two batches never wait for each other crosswise. */
function byName(a: Placed, b: Placed): number {
  if (a.name === b.name) return a.at - b.at
  return a.name < b.name ? -1 : 1
}

function repeated(): OAuthError {
  return new OAuthError('invalid_request', 'The workflow stands in the batch twice; send one definition of it.', {
    reason: 'duplicate_in_batch',
  })
}

/**
 * A rule's refusal spoils no transaction: the others are judged all the same, so that one answer names every mistake. A
 * server that cannot answer, or a bug, ends the batch.
 */
async function attempt(tx: Context, caller: Caller, definition: WorkflowRegistration): Promise<Judged> {
  try {
    return await registerWorkflow(tx, caller, definition)
  } catch (error) {
    if (error instanceof OAuthError && error.details.status !== 503) return error
    throw error
  }
}

function refusedBatch(items: Items, outcomes: readonly (Judged | undefined)[]): OAuthError {
  const results = items.map((item, at): BatchResult => {
    const outcome = outcomes[at]
    const workflow_id = 'body' in item ? item.body.workflow_id : item.id
    const named = workflow_id === undefined ? {} : { workflow_id }
    if (!(outcome instanceof OAuthError)) return { ...named, status: 'not_registered' }
    return { ...named, status: 'refused', error: outcome.code, error_description: outcome.message }
  })
  const first = outcomes.find(outcome => outcome instanceof OAuthError)
  return new OAuthError('invalid_request', 'No workflow was registered; the member results says why.', {
    reason: first?.reason ?? 'batch_refused',
    results,
  })
}
