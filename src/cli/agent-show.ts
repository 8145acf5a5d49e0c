import { type Command, Option } from 'commander'
import { z } from 'zod'
import { type AgentDetail, agentDetailSchema, type RegistrationView } from '../protocol/agent-views.ts'
import { cameBack, versionState } from '../protocol/version-state.ts'
import { adminClient, listAll } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { CliFailure } from './failure.ts'
import { recordText, tableText } from './output.ts'
import type { ProtectedClient } from './protected-client.ts'
import { openSession, type Session } from './session.ts'

const AGENTS = ['app_id', 'agent_id', 'agent_status', 'pending', 'status', 'version', 'registration_id', 'checksum']
/** Without the version that counts: it is not the one that waits. */
const WAITING = ['app_id', 'agent_id', 'agent_status', 'pending']
const VERSIONS = [
  'version',
  'status',
  'registration_id',
  'checksum',
  'registered_at',
  'registered_owner',
  'approved_by',
]
const KEYS = ['jkt', 'source', 'added_at', 'expires_at', 'endorsed_by']
const STATES = ['active', 'suspended', 'revoked']

const listOptions = z.object({ pending: z.boolean().default(false), status: z.string().optional() })

/** `remit agent list` and `remit agent show`. */
export function addAgentShowCommands(agent: Command): void {
  agent
    .command('list')
    .description('list the agents of all clients, or of one')
    .argument('[client_id]')
    .option('--pending', 'only those with a version that waits for a decision')
    .addOption(new Option('--status <status>', 'only those in this state').choices(STATES).conflicts('pending'))
    .action(async (client_id: string | undefined, _options, command: Command) => {
      const session = openSession(command)
      const { pending, status = pending ? 'pending' : undefined } = listOptions.parse(command.opts())
      const api = await adminClient(session, 'approve:agents')
      const query = { ...(client_id !== undefined && { client_id }), ...(status !== undefined && { status }) }
      const rows = await listAll(api, '/admin/v1/agents', query)
      session.out.result(rows, tableText(pending ? WAITING : AGENTS, rows))
      for (const { app_id, agent_id } of rows.filter(row => row.pending !== 0)) {
        session.out.note(`See what waits: remit agent show ${app_id} ${agent_id}`)
      }
    })
  agent
    .command('show')
    .description('show one agent with its keys and versions')
    .argument('<client_id>')
    .argument('<agent_id>')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const session = openSession(command)
      const detail = await readAgent(await adminClient(session, 'approve:agents'), client_id, agent_id)
      noteNextSteps(session, detail)
      session.out.result(detail, detailText(detail))
    })
}

/** One agent of the admin API with its newest versions. Throws CliFailure. */
export async function readAgent(api: ProtectedClient, client_id: string, agent_id: string): Promise<AgentDetail> {
  const detail = agentDetailSchema.safeParse(await api.get(agentPath(client_id, agent_id)))
  if (detail.success) return detail.data
  throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
}

function noteNextSteps({ out }: Session, { app_id, agent_id, agent_status, registrations }: AgentDetail): void {
  const name = `${app_id} ${agent_id}`
  for (const { registration_id } of registrations.filter(version => version.status === 'pending')) {
    out.note(`Version ${registration_id} is pending. Read it with: remit agent version ${name} ${registration_id}`)
  }
  if (agent_status === 'suspended') out.note(`It is suspended. Another owner resumes it: remit agent resume ${name}`)
}

function detailText({ keys, registrations, suspended, ...record }: AgentDetail): string {
  const head = recordText({ ...record, ...(suspended && { suspended }) })
  const versions = registrations.map(version => ({ ...version, status: statusText(version) }))
  return [head, '', 'Keys', tableText(KEYS, keys), '', 'Versions', tableText(VERSIONS, versions)].join('\n')
}

function statusText(version: RegistrationView): string {
  const { status, drains_until, pending_for } = version
  if (status === 'draining') return `draining until ${drains_until}`
  if (status === 'pending') return `pending (${pending_for.join(', ')})`
  return `${versionState(version)}${cameBack(version) ? ', rolled back' : ''}`
}
