import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { adminClient, readRecord } from './admin-client.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'
import { workflowPath } from './workflow-path.ts'

const approveOptions = z.object({ version: z.int() })
const rejectOptions = approveOptions.extend({ reason: z.string() })

/** `remit workflow approve` and `remit workflow reject`. */
export function addWorkflowDecideCommands(workflow: Command): void {
  ofWorkflow(workflow, 'approve', 'let a pending version count').action(
    async (client_id: string, workflow_id: string, _options, command: Command) => {
      await decide(command, `${workflowPath(client_id, workflow_id)}/approve`, approveOptions.parse(command.opts()))
    },
  )
  ofWorkflow(workflow, 'reject', 'turn a pending version down; it may be proposed again')
    .requiredOption('--reason <text>', 'why; whoever registered it can read this')
    .action(async (client_id: string, workflow_id: string, _options, command: Command) => {
      await decide(command, `${workflowPath(client_id, workflow_id)}/reject`, rejectOptions.parse(command.opts()))
    })
}

function ofWorkflow(workflow: Command, name: string, description: string): Command {
  return workflow
    .command(name)
    .description(description)
    .argument('<client_id>')
    .argument('<workflow_id>')
    .requiredOption('--version <n>', 'which one, as "workflow show" prints it', readVersion)
}

async function decide(command: Command, path: string, body: object): Promise<void> {
  const session = openSession(command)
  const api = await adminClient(session, 'approve:agents')
  const record = readRecord(await api.post(path, body))
  session.out.result(record, recordText(record))
}

function readVersion(text: string): number {
  const version = Number(text)
  if (Number.isInteger(version) && version >= 1) return version
  throw new InvalidArgumentError('It is a number from 1 on.')
}
