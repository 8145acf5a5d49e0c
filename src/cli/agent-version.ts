import type { Command } from 'commander'
import { z } from 'zod'
import { type VersionDetail, versionDetailSchema } from '../protocol/agent-views.ts'
import { versionState } from '../protocol/version-state.ts'
import { adminClient } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { diffSections, diffSummary, warningLines } from './diff-text.ts'
import { CliFailure } from './failure.ts'
import { section } from './foreign-text.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const versionOptions = z.object({ against: z.string().optional() })

/** `remit agent version`: everything that an approver should read, as the server makes it visible. */
export function addAgentVersionCommand(agent: Command): void {
  agent
    .command('version')
    .description('show what one version is made of, and what it changes; the read is audited')
    .argument('<client_id>')
    .argument('<agent_id>')
    .argument('<registration_id>')
    .option('--against <registration_id>', 'compare with this version instead of the active one')
    .action(
      async (client_id: string, agent_id: string, registration_id: string, _options: unknown, command: Command) => {
        const session = openSession(command)
        const { against } = versionOptions.parse(command.opts())
        const api = await adminClient(session, 'approve:agents')
        const path = `${agentPath(client_id, agent_id)}/versions/${encodeURIComponent(registration_id)}`
        const answer = versionDetailSchema.safeParse(await api.get(path, against === undefined ? {} : { against }))
        if (!answer.success) {
          throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
        }
        const version = answer.data
        if (version.status === 'pending') {
          const named = `${client_id} ${agent_id} --registration ${registration_id} --checksum ${version.checksum}`
          session.out.note(`Let it mint:  remit agent approve ${named}`)
          session.out.note(`Turn it down: remit agent reject ${named} --reason "..."`)
        }
        session.out.result(version, versionText(version))
      },
    )
}

/** First what the server says, then what the agent is made of. */
function versionText({ components, warnings, against, diff, ...record }: VersionDetail): string {
  const tools = components.tools.map(({ name, description, rest }) =>
    section(`Tool ${name}`, `${description}\n${rest}`),
  )
  return [
    recordText({ ...record, status: versionState(record) }),
    ...warningLines(warnings),
    ...(against && diff ? [diffSummary(against, diff)] : []),
    section('Prompt', components.prompt),
    ...tools,
    section('Configuration', components.configuration),
    ...(against && diff ? diffSections(against, diff) : []),
  ].join('\n')
}
