import { type BatchResult, OAuthError } from '../../protocol/errors.ts'
import type {
  WorkflowAnswer,
  WorkflowBatch,
  WorkflowBatchAnswer,
  WorkflowRegistration,
} from '../../protocol/workflow.ts'
import { auditAct } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { Outcome } from './act.ts'
import { registerWorkflow } from './workflows.ts'

type Judged = Outcome<WorkflowAnswer> | OAuthError

/**
 * Registers several workflows or none of them (protocol.md section 2), inside `act`. Each leaves an audit row of its own,
 * under the client whose workflow it is. Throws `invalid_request` that names each one: the refused with their reason, the
 * others as not registered.
 */
export async function registerWorkflows(
  tx: Context,
  caller: Caller,
  { workflow_definitions: asked }: WorkflowBatch,
): Promise<Outcome<WorkflowBatchAnswer>> {
  const names = asked.map(({ app_id = caller.client_id, workflow_id }) => `${app_id}/${workflow_id}`)
  if (new Set(names).size !== names.length) {
    throw new OAuthError('invalid_request', 'The batch names a workflow twice.', { reason: 'duplicate_in_batch' })
  }
  const results = new Map<number, Judged>()
  // Sorted, so that two batches never wait for each other crosswise.
  for (const at of names.map((_name, index) => index).sort((a, b) => ((names[a] ?? '') < (names[b] ?? '') ? -1 : 1))) {
    const definition = asked[at]
    if (definition) results.set(at, await attempt(tx, caller, definition))
  }
  const outcomes = asked.flatMap((_definition, at) => {
    const result = results.get(at)
    return result === undefined || result instanceof OAuthError ? [] : [result]
  })
  if (outcomes.length < asked.length) throw refusedBatch(asked, results)
  for (const { audit } of outcomes) await auditAct(tx, caller, { action: 'workflow.register', details: {}, ...audit })
  const workflows = outcomes.map(outcome => outcome.body)
  return { status: 200, body: { workflows }, audit: { details: { registered: workflows.length } } }
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

function refusedBatch(asked: readonly WorkflowRegistration[], outcomes: ReadonlyMap<number, Judged>): OAuthError {
  const results = asked.map(({ workflow_id }, at): BatchResult => {
    const outcome = outcomes.get(at)
    if (!(outcome instanceof OAuthError)) return { workflow_id, status: 'not_registered' }
    return { workflow_id, status: 'refused', error: outcome.code, error_description: outcome.message }
  })
  const [first] = [...outcomes.values()].filter(outcome => outcome instanceof OAuthError)
  return new OAuthError('invalid_request', 'No workflow was registered; the member results says why.', {
    reason: first?.reason ?? 'batch_refused',
    results,
  })
}
