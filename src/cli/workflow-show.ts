import type { Command } from 'commander'
import { type WorkflowDetail, workflowDetailSchema } from '../protocol/workflow-views.ts'
import { adminClient, listAll } from './admin-client.ts'
import { CliFailure } from './failure.ts'
import { recordText, tableText } from './output.ts'
import { openSession, type Session } from './session.ts'
import { workflowGraph } from './workflow-graph.ts'
import { workflowPath } from './workflow-path.ts'

const COLUMNS = ['workflow_id', 'version', 'status', 'pending', 'registered_at']
const VERSIONS = [
  'version',
  'status',
  'registered_at',
  'registered_owner',
  'approved_by',
  'rejected_by',
  'reject_reason',
]

/** `remit workflow list` and `remit workflow show`. */
export function addWorkflowShowCommands(workflow: Command): void {
  workflow
    .command('list')
    .description('list the workflows of a client')
    .argument('<client_id>')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const rows = await listAll(api, `/admin/v1/workflows/${encodeURIComponent(client_id)}`)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  workflow
    .command('show')
    .description('show one workflow with its versions; the steps that count or wait as a graph')
    .argument('<client_id>')
    .argument('<workflow_id>')
    .action(async (client_id: string, workflow_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const detail = workflowDetailSchema.safeParse(await api.get(workflowPath(client_id, workflow_id)))
      if (!detail.success) {
        throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
      }
      noteNextSteps(session, detail.data)
      session.out.result(detail.data, detailText(detail.data))
    })
}

function noteNextSteps({ out }: Session, { client_id, workflow_id, versions }: WorkflowDetail): void {
  for (const { version } of versions.filter(shown => shown.status === 'pending')) {
    const decide = `${client_id} ${workflow_id} --version ${version}`
    out.note(`Version ${version} is pending: remit workflow approve ${decide}, or reject ${decide} --reason "..."`)
  }
}

function detailText({ versions, ...record }: WorkflowDetail): string {
  const drawn = versions.filter(({ status }) => status === 'active' || status === 'pending')
  const graphs = drawn.flatMap(({ version, status, steps }) => [
    '',
    `Steps of version ${version} (${status})`,
    workflowGraph(steps),
  ])
  return [recordText(record), '', 'Versions', tableText(VERSIONS, versions), ...graphs].join('\n')
}
