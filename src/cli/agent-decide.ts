import type { Command } from 'commander'
import { z } from 'zod'
import { adminClient, readRecord } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { readAgent } from './agent-show.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { recordText } from './output.ts'
import type { ProtectedClient } from './protected-client.ts'
import { openSession } from './session.ts'

const approveOptions = z.object({ registration: z.string(), checksum: z.string() })
const rejectOptions = z.object({
  registration: z.string().optional(),
  checksum: z.string().optional(),
  reason: z.string(),
})
const retireOptions = z.object({ registration: z.string() })

/** `remit agent approve`, `reject` and `retire`. */
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
    .option('--checksum <hex>', 'its checksum, as "agent version" prints it; needed with --registration')
    .action(rejectVersion)
  ofAgent(agent, 'retire', 'end a version: it mints no more, its tokens stay active until they expire')
    .requiredOption('--registration <id>', 'registration_id of the version')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const { registration: registration_id } = retireOptions.parse(command.opts())
      const { out } = openSession(command)
      await post(command, client_id, agent_id, 'retire', { registration_id })
      out.note(`To kill its tokens too: remit revoke registration ${registration_id} --reason "..."`)
    })
}

async function rejectVersion(client_id: string, agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { registration, checksum, reason } = rejectOptions.parse(command.opts())
  if ((registration === undefined) !== (checksum === undefined)) {
    throw wrongUsage('Give --registration ID and --checksum HEX together, or neither.')
  }
  const api = await adminClient(session, 'approve:agents')
  const version =
    registration === undefined
      ? await newestPending(api, client_id, agent_id)
      : { registration_id: registration, checksum }
  const record = readRecord(await api.post(`${agentPath(client_id, agent_id)}/reject`, { ...version, reason }))
  session.out.result(record, recordText(record))
}

/** Throws CliFailure. */
async function newestPending(api: ProtectedClient, client_id: string, agent_id: string) {
  const { registrations } = await readAgent(api, client_id, agent_id)
  const version = registrations.find(({ status }) => status === 'pending')
  if (version) return { registration_id: version.registration_id, checksum: version.checksum }
  const next = `"remit agent show ${client_id} ${agent_id}" lists its versions.`
  throw new CliFailure('not_found', 'The agent has no pending version.', { next })
}

function ofAgent(agent: Command, name: string, description: string): Command {
  return agent.command(name).description(description).argument('<client_id>').argument('<agent_id>')
}

async function post(command: Command, client_id: string, agent_id: string, act: string, body: object): Promise<void> {
  const session = openSession(command)
  const api = await adminClient(session, 'approve:agents')
  const record = readRecord(await api.post(`${agentPath(client_id, agent_id)}/${act}`, body))
  session.out.result(record, recordText(record))
}
