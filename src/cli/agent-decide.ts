import type { Command } from 'commander'
import { z } from 'zod'
import type { AdminScope } from '../protocol/own-resources.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { readAgent } from './agent-show.ts'
import { CliFailure } from './failure.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const approveOptions = z.object({ registration: z.string(), checksum: z.string() })
const rejectOptions = z.object({ registration: z.string().optional(), reason: z.string() })
const retireOptions = z.object({ registration: z.string() })
const suspendOptions = z.object({ reason: z.string() })

/** `remit agent approve`, `reject`, `retire`, `suspend` and `resume`. */
export function addAgentDecideCommands(agent: Command): void {
  ofAgent(agent, 'approve', 'let one pending version mint; bound to its content')
    .requiredOption('--registration <id>', 'registration_id of the version')
    .requiredOption('--checksum <hex>', 'its checksum, as "agent version" prints it')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const { registration: registration_id, checksum } = approveOptions.parse(command.opts())
      await post(command, client_id, agent_id, 'approve', { registration_id, checksum })
    })
  ofAgent(agent, 'reject', 'turn a pending version down, or withdraw your own')
    .requiredOption('--reason <text>', 'why; whoever registered it can read this')
    .option('--registration <id>', 'registration_id of the version (default: the newest that is pending)')
    .action(rejectVersion)
  ofAgent(agent, 'retire', 'end a version: it mints no more, its tokens stay active until they expire')
    .requiredOption('--registration <id>', 'registration_id of the version')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const { registration: registration_id } = retireOptions.parse(command.opts())
      const { out } = openSession(command)
      await post(command, client_id, agent_id, 'retire', { registration_id })
      out.note(`To kill its tokens too: remit revoke registration ${registration_id} --reason "..."`)
    })
  ofAgent(agent, 'suspend', 'stop an agent and its tokens at once, until somebody else resumes it')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const { out } = openSession(command)
      await post(command, client_id, agent_id, 'suspend', suspendOptions.parse(command.opts()), 'revoke')
      out.note(`Another owner than yours and the client's lifts it: remit agent resume ${client_id} ${agent_id}`)
    })
  ofAgent(agent, 'resume', 'let a suspended agent mint again; not by the owner who suspended it')
    .addHelpText('after', '\nIts own tokens that have not expired are active again; what it had delegated stays dead.')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      await post(command, client_id, agent_id, 'resume', {})
    })
}

async function rejectVersion(client_id: string, agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { registration, reason } = rejectOptions.parse(command.opts())
  const api = await adminClient(session, 'approve:agents')
  const { registrations } = await readAgent(api, client_id, agent_id)
  const version = registrations.find(({ registration_id, status }) =>
    registration === undefined ? status === 'pending' : registration_id === registration,
  )
  if (!version) {
    const next = `"remit agent show ${client_id} ${agent_id}" lists its versions.`
    throw new CliFailure('not_found', 'The agent has no such pending version.', { next })
  }
  const { registration_id, checksum } = version
  const path = `${agentPath(client_id, agent_id)}/reject`
  const record = readRecord(await api.post(path, { registration_id, checksum, reason }))
  session.out.result(record, recordText(record))
}

function ofAgent(agent: Command, name: string, description: string): Command {
  return agent.command(name).description(description).argument('<client_id>').argument('<agent_id>')
}

async function post(
  command: Command,
  client_id: string,
  agent_id: string,
  act: string,
  body: object,
  scope: AdminScope = 'approve:agents',
): Promise<void> {
  const session = openSession(command)
  const api = await adminClient(session, scope)
  const record = readRecord(await api.post(`${agentPath(client_id, agent_id)}/${act}`, body))
  session.out.result(record, recordText(record))
}
