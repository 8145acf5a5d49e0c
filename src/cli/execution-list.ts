import { type Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import { EXECUTION_STATUSES } from '../protocol/execution.ts'
import { adminClient, readPage } from './admin-client.ts'
import { wrongUsage } from './failure.ts'
import { tableText } from './output.ts'
import { openSession } from './session.ts'

const COLUMNS = [
  'execution_id',
  'client_id',
  'workflow_id',
  'workflow_version',
  'initiated_by',
  'status',
  'opened_at',
  'expires_at',
  'tokens_minted',
]

const text = z.string().optional()
const listOptions = z.object({ client: text, workflow: text, initiator: text, status: text, limit: z.int() })

/** `remit execution list` */
export function addExecutionListCommand(execution: Command): void {
  execution
    .command('list')
    .description('list the newest executions')
    .option('--client <id>', 'only those of this client')
    .option('--workflow <id>', 'only those of this workflow; needs --client')
    .option('--initiator <name>', 'only those that this subject began, as user:corp:42')
    .addOption(new Option('--status <status>', 'only those in this state').choices(EXECUTION_STATUSES))
    .option('--limit <n>', 'how many, up to 200', readLimit, 50)
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { client, workflow, initiator, status, limit } = listOptions.parse(command.opts())
      if (workflow !== undefined && client === undefined) {
        throw wrongUsage('Give --client ID, whose workflow this is.')
      }
      const query = {
        ...(client !== undefined && { client_id: client }),
        ...(workflow !== undefined && { workflow_id: workflow }),
        ...(initiator !== undefined && { initiated_by: initiator }),
        ...(status !== undefined && { status }),
        limit: String(limit),
      }
      const api = await adminClient(session, 'audit:read')
      const { items, next_cursor } = readPage(await api.get('/admin/v1/executions', query))
      session.out.result(items, tableText(COLUMNS, items))
      if (next_cursor) session.out.note('There are more: raise --limit, or narrow the filter.')
    })
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit
  throw new InvalidArgumentError('It is a number from 1 to 200.')
}
