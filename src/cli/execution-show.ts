import type { Command } from 'commander'
import { type ExecutionView, executionViewSchema } from '../protocol/execution.ts'
import { adminClient } from './admin-client.ts'
import { addClientOrAdminOptions, readClientOrAdmin } from './credential.ts'
import { delegationTree } from './delegation-tree.ts'
import { CliFailure } from './failure.ts'
import { recordText, tableText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'
import type { ClientCredential } from './token-client.ts'

const STEPS = ['step_id', 'agent_id', 'state', 'needs', 'entries', 'tokens', 'entered_at', 'after']
const TOKENS = ['jti', 'agent_id', 'workflow_step', 'resource', 'scope', 'issued_at', 'expires_at', 'status']
const APPROVALS = ['approval_id', 'step_id', 'status', 'arguments_digest', 'opened_at', 'decided_by', 'consumed_at']

/** `remit execution show` */
export function addExecutionShowCommand(execution: Command): void {
  addClientOrAdminOptions(execution.command('show'))
    .description('show one execution: its steps, tokens, approvals, and who delegated to whom')
    .argument('<execution_id>')
    .action(async (execution_id: string, _options, command: Command) => {
      const session = openSession(command)
      const credential = await readClientOrAdmin(command)
      const answer = await readExecution(session, execution_id, credential)
      const view = executionViewSchema.safeParse(answer)
      if (!view.success) {
        throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
      }
      if (!credential) noteNextSteps(session, view.data)
      session.out.result(view.data, viewText(view.data))
    })
}

/** As an administrator any; as a client its own, with the scope by which it mints. */
async function readExecution(session: Session, execution_id: string, credential: ClientCredential | undefined) {
  const path = `executions/${encodeURIComponent(execution_id)}`
  if (!credential) return await (await adminClient(session, 'audit:read')).get(`/admin/v1/${path}`)
  return await (await registrationClient(session, credential, 'generate:intent-token')).get(`/intent/${path}`)
}

/** By commands of an administrator. */
function noteNextSteps({ out }: Session, { execution_id, status, approvals }: ExecutionView): void {
  if (status !== 'open') return
  if (approvals.some(approval => approval.status === 'pending')) {
    out.note(`See what waits for a person: remit approval list --execution ${execution_id}`)
  }
  out.note(`Stop it: remit revoke execution ${execution_id} --reason "..."`)
}

function viewText({ steps, edges, tokens, delegations, approvals, limits, ...record }: ExecutionView): string {
  const rows = steps.map(step => ({
    ...step,
    needs: [...(step.approval_gate ? ['is a gate'] : []), ...(step.protected ? ['approval'] : [])].join(', ') || '-',
    after:
      edges
        .filter(({ to }) => to === step.step_id)
        .map(({ from }) => from)
        .join(', ') || '-',
  }))
  const { max_tokens, max_children, max_nodes } = limits
  const head = {
    ...record,
    limits: `${max_tokens} tokens a step, ${max_children} children, ${max_nodes} tokens in all`,
  }
  const parts = [
    [recordText(head)],
    ['', 'Steps', tableText(STEPS, rows)],
    ['', 'Tokens, the newest first', tableText(TOKENS, tokens)],
    ['', 'Delegations', delegationTree(delegations, tokens)],
    ...(approvals.length > 0 ? [['', 'Approvals, the newest first', tableText(APPROVALS, approvals)]] : []),
  ]
  return parts.flat().join('\n')
}
