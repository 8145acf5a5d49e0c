import type { Command } from 'commander'
import { z } from 'zod'
import { type SuspensionAnswer, suspensionAnswerSchema } from '../protocol/agent-acts.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { CliFailure } from './failure.ts'
import { lineText, recordText } from './output.ts'
import { openSession } from './session.ts'

const suspendOptions = z.object({ reason: z.string() })

/** `remit agent suspend` and `remit agent resume`. */
export function addAgentSuspendCommands(agent: Command): void {
  agent
    .command('suspend')
    .description('stop an agent and its tokens at once, until somebody else resumes it')
    .argument('<client_id>')
    .argument('<agent_id>')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(suspend)
  agent
    .command('resume')
    .description('let a suspended agent mint again; not by the owner who suspended it')
    .argument('<client_id>')
    .argument('<agent_id>')
    .addHelpText(
      'after',
      '\nIts own tokens that have not expired are active again, and what it delegated may be presented again.',
    )
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const record = readRecord(await api.post(`${agentPath(client_id, agent_id)}/resume`, {}))
      session.out.result(record, recordText(record))
    })
}

async function suspend(client_id: string, agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const api = await adminClient(session, 'revoke')
  const path = `${agentPath(client_id, agent_id)}/suspend`
  const answer = suspensionAnswerSchema.safeParse(await api.post(path, suspendOptions.parse(command.opts())))
  if (!answer.success) {
    throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
  }
  session.out.result(answer.data, suspendedText(answer.data))
  session.out.note(`Another owner than yours and the client's lifts it: remit agent resume ${client_id} ${agent_id}`)
}

/** The answer counts what the agent had delegated; its own tokens stop without being counted. */
function suspendedText({ client_id, agent_id, revoked: { token } }: SuspensionAnswer): string {
  const delegated =
    token === 0
      ? ''
      : ` So ${token === 1 ? 'does the live token' : `do the ${token} live tokens`} that it had delegated.`
  return [
    lineText([`Suspended agent ${client_id}/${agent_id}: it mints nothing.`]),
    `Its live tokens stop: introspection calls them inactive from now on.${delegated}`,
    'An API that does not introspect takes them until they expire.',
  ].join('\n')
}
