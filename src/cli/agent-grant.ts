import type { Command } from 'commander'
import { z } from 'zod'
import { collectAccess } from './access-option.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { agentPath } from './agent-path.ts'
import { wrongUsage } from './failure.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const grantOptions = z.object({
  access: z.array(z.object({ resource: z.string(), scope: z.string() })).default([]),
  outsideWorkflow: z.boolean().default(false),
  nothing: z.boolean().default(false),
})

/** `remit agent grant`: changes what an agent may ask for, without a new version of it. */
export function addAgentGrantCommand(agent: Command): void {
  agent
    .command('grant')
    .description('change what an agent may ask for, at once; wider only by another owner than its client’s')
    .argument('<client_id>')
    .argument('<agent_id>')
    .option(
      '--access <entry>',
      '"RESOURCE SCOPE…"; once for each resource; takes the place of all it has',
      collectAccess,
    )
    .option('--outside-workflow', 'also without a workflow, while one assigns it a step')
    .option('--nothing', 'take everything away')
    .action(grant)
}

async function grant(client_id: string, agent_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { access, outsideWorkflow: outside_workflow, nothing } = grantOptions.parse(command.opts())
  if (nothing === access.length > 0) throw wrongUsage('Give --access "RESOURCE SCOPE…", or --nothing.')
  const api = await adminClient(session, 'approve:agents')
  const body = { grant: { access, outside_workflow } }
  const record = readRecord(await api.patch(agentPath(client_id, agent_id), body))
  session.out.result(record, recordText(record))
}
