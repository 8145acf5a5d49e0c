import type { Command } from 'commander'
import { z } from 'zod'
import { adminClient, listAll, type Row, readRecord } from './admin-client.ts'
import { withNewFile } from './files.ts'
import { recordText, tableText } from './output.ts'
import { openSession } from './session.ts'

const PATH = '/admin/v1/webhooks'
const COLUMNS = ['webhook_id', 'status', 'url', 'created_at']
const DELIVERY_COLUMNS = ['delivery_id', 'type', 'status', 'attempts', 'last_result', 'created_at', 'next_attempt_at']

const createOptions = z.object({ secretFile: z.string().optional() })

/** remit webhook create, list, deliveries, delete. */
export function addWebhookCommand(program: Command): void {
  const webhook = program.command('webhook').description('who is told of approvals (Standard Webhooks)')
  webhook
    .command('create')
    .description('tell a URL of every approval that is opened or decided; its secret is shown this once')
    .argument('<url>', 'https, at a public address')
    .option('--secret-file <file>', 'write the secret to this new file (0600) instead of showing it')
    .action(createWebhook)
  webhook
    .command('list')
    .description('list the webhooks')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:clients'), PATH)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  webhook
    .command('deliveries')
    .description('list what a webhook was told in the last week, and what it is to be told')
    .argument('<webhook_id>')
    .action(async (webhook_id: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:clients'), `${pathOf(webhook_id)}/deliveries`)
      session.out.result(rows, tableText(DELIVERY_COLUMNS, rows))
    })
  webhook
    .command('delete')
    .description('delete a webhook: it is told nothing any more')
    .argument('<webhook_id>')
    .action(async (webhook_id: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'admin:clients')
      const record = readRecord(await api.delete(pathOf(webhook_id)))
      session.out.result(record, recordText(record))
    })
}

async function createWebhook(url: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { secretFile } = createOptions.parse(command.opts())
  const api = await adminClient(session, 'admin:clients')
  const create = async (): Promise<Row> => readRecord(await api.post(PATH, { url }))
  const { out } = session
  if (secretFile === undefined) {
    const record = await create()
    if (record.secret !== undefined) out.note('The secret is not shown again: keep it now.')
    return out.result(record, recordText(record))
  }
  await withNewFile(secretFile, async file => {
    const { secret, ...record } = await create()
    if (typeof secret === 'string') await file.write(`${secret}\n`)
    const shown = { ...record, secret_file: secretFile }
    out.result(shown, recordText(shown))
  })
}

function pathOf(webhook_id: string): string {
  return `${PATH}/${encodeURIComponent(webhook_id)}`
}
