import type { Command } from 'commander'
import { z } from 'zod'
import type { RegistrationView } from '../protocol/agent-views.ts'
import { rollbackTarget } from '../protocol/rollback-target.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { readAgent } from './agent-show.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const HELP = `
Without --to the version is the newest that counted before the active one. Processes of the version that is left go on
minting for --drain seconds, up to the client's policy "max_drain_seconds"; without it they stop at once. A version that
waits for approval is replaced and never counts: register its content again if it is still wanted. Where the client has
policy "require_approval", the owner of the client, or of the content, cannot roll back alone.`

const rollbackOptions = z.object({
  to: z.string().optional(),
  drain: z
    .string()
    .regex(/^[0-9]{1,6}$/, '--drain is a number of seconds.')
    .transform(Number)
    .default(0),
})

/** `remit agent rollback`: one command, for whoever is on call. */
export function addAgentRollbackCommand(agent: Command): void {
  agent
    .command('rollback')
    .description('let the content of an older version count again, at once')
    .argument('<client_id>')
    .argument('<agent_id>')
    .option('--to <version>', 'number or registration_id of the version to go back to')
    .option('--drain <seconds>', 'how long the version that counts now goes on minting (default: 0)')
    .addHelpText('after', HELP)
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const session = openSession(command)
      const options = rollbackOptions.safeParse(command.opts())
      if (!options.success) throw wrongUsage('--drain is a number of seconds.')
      const { to, drain: drain_seconds } = options.data
      const api = await adminClient(session, 'approve:agents')
      const { registrations } = await readAgent(api, client_id, agent_id)
      const target = to === undefined ? rollbackTarget(registrations) : named(registrations, to)
      if (!target) {
        const next = `"remit agent show ${client_id} ${agent_id}" lists its versions; name one with --to.`
        throw new CliFailure('not_found', 'There is no version to go back to.', { next })
      }
      const { registration_id, checksum, version } = target
      session.out.note(`Going back to version ${version} (${registration_id}).`)
      const waiting = registrations.filter(({ status }) => status === 'pending')
      const body = { registration_id, checksum, drain_seconds }
      const record = readRecord(await api.post(`${agentPath(client_id, agent_id)}/rollback`, body))
      session.out.result(record, recordText(record))
      for (const { version } of waiting) {
        session.out.note(`Version ${version} waited for approval: it is replaced and never counts.`)
      }
    })
}

function named(versions: readonly RegistrationView[], to: string): RegistrationView | undefined {
  return versions.find(({ version, registration_id }) => String(version) === to || registration_id === to)
}
