import { type Command, Option } from 'commander'
import { z } from 'zod'
import { CAUSE_TEXTS } from '../protocol/workflow-causes.ts'
import { type WorkflowDetail, workflowDetailSchema } from '../protocol/workflow-views.ts'
import { adminClient, listAll } from './admin-client.ts'
import { CliFailure } from './failure.ts'
import { printable, recordText, tableText } from './output.ts'
import { openSession, type Session } from './session.ts'
import { workflowChanges } from './workflow-changes.ts'
import { workflowGraph } from './workflow-graph.ts'
import { workflowPath } from './workflow-path.ts'

const COLUMNS = ['client_id', 'workflow_id', 'version', 'status', 'pending', 'registered_at']
const STATES = ['active', 'deregistered', 'revoked']
const VERSIONS = [
  'version',
  'status',
  'registered_at',
  'registered_owner',
  'approved_by',
  'rejected_by',
  'reject_reason',
]

type Version = WorkflowDetail['versions'][number]

const listOptions = z.object({ pending: z.boolean().default(false), status: z.string().optional() })

/** `remit workflow list` and `remit workflow show`. */
export function addWorkflowShowCommands(workflow: Command): void {
  workflow
    .command('list')
    .description('list the workflows of all clients, or of one')
    .argument('[client_id]')
    .option('--pending', 'only those with a version that waits for a decision')
    .addOption(new Option('--status <status>', 'only those in this state').choices(STATES).conflicts('pending'))
    .action(async (client_id: string | undefined, _options, command: Command) => {
      const session = openSession(command)
      const { pending, status = pending ? 'pending' : undefined } = listOptions.parse(command.opts())
      const api = await adminClient(session, 'approve:agents')
      const query = { ...(client_id !== undefined && { client_id }), ...(status !== undefined && { status }) }
      const rows = await listAll(api, '/admin/v1/workflows', query)
      session.out.result(rows, tableText(COLUMNS, rows))
      for (const { client_id, workflow_id } of rows.filter(row => row.pending !== 0)) {
        session.out.note(`See what waits, and why: remit workflow show ${client_id} ${workflow_id}`)
      }
    })
  workflow
    .command('show')
    .description('show one workflow with its versions; the steps that count or wait as a graph, and why one waits')
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
  const waiting = versions.filter(({ status, pending_for }) => status === 'pending' && !isReplaced(pending_for))
  for (const { version } of waiting) {
    const decide = `${client_id} ${workflow_id} --version ${version}`
    out.note(`Version ${version} is pending: remit workflow approve ${decide}, or reject ${decide} --reason "..."`)
  }
}

/** Not to be approved while the newer one stands. */
function isReplaced(pending_for: Version['pending_for']): boolean {
  return pending_for.some(({ cause }) => cause === 'replaced')
}

function detailText({ versions, ...record }: WorkflowDetail): string {
  const counts = versions.find(({ version }) => version === record.version)
  const drawn = versions.filter(
    ({ status, pending_for }) => status === 'active' || (status === 'pending' && !isReplaced(pending_for)),
  )
  const graphs = drawn.flatMap(version => [
    '',
    `Steps of version ${version.version} (${version.status})`,
    workflowGraph(version.steps),
    ...(version.status === 'pending' ? waitingText(version, counts) : []),
  ])
  return [recordText(record), '', 'Versions', tableText(VERSIONS, versions), ...graphs].join('\n')
}

function waitingText({ version, steps, pending_for }: Version, counts: Version | undefined): readonly string[] {
  const causes = pending_for.map(({ cause, step_id }) =>
    printable(step_id === null ? CAUSE_TEXTS[cause] : `step ${step_id}: ${CAUSE_TEXTS[cause]}`),
  )
  return [
    ...(causes.length > 0 ? ['', `Why version ${version} waits`, ...causes] : []),
    ...(counts ? ['', `Changes against version ${counts.version}`, ...workflowChanges(counts.steps, steps)] : []),
  ]
}
