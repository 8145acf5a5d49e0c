import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { SECRET_OVERLAP_MAX } from '../protocol/client.ts'
import { adminClient, type Row, readRecord } from './admin-client.ts'
import { clientPath, scopesToActAs } from './client-path.ts'
import { withNewFile } from './files.ts'
import { recordText } from './output.ts'
import { openSession, type Session } from './session.ts'

const rotateOptions = z.object({ overlap: z.number(), secretFile: z.string().optional() })

/** Newest first. */
const secretsSchema = z.array(z.object({ expires_at: z.string().nullable() }))

export function addClientSecretCommand(client: Command): void {
  client
    .command('rotate-secret')
    .description('give a client a new secret, shown this once; the older ones end')
    .argument('<client_id>')
    .option('--overlap <seconds>', 'how long the older secrets stay good, up to a week', readSeconds, 0)
    .option('--secret-file <file>', 'write the secret to this new file (0600) instead of showing it')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const { overlap, secretFile } = rotateOptions.parse(command.opts())
      const api = await adminClient(session, ...(await scopesToActAs(session, client_id)))
      const { out } = session
      await withSecretFile(session, secretFile, async () => {
        const record = readRecord(await api.post(`${clientPath(client_id)}/secret`, { overlap_seconds: overlap }))
        for (const line of endLines(record)) out.note(line)
        return record
      })
    })
}

/** When the secrets before the new one end, or that they ended. */
function endLines(record: Row): readonly string[] {
  const [, ...older] = secretsSchema.parse(record.secrets)
  if (older.length > 0) return older.map(({ expires_at }) => `An older secret is good until ${expires_at}.`)
  return ['The older secrets ended at once. With --overlap SECONDS they stay good while the new one is rolled out.']
}

/** Shows what `fn` made, its secret in a new file where one was named. */
export async function withSecretFile(
  session: Session,
  file: string | undefined,
  fn: () => Promise<Row>,
): Promise<void> {
  if (file === undefined) return showSecret(session, await fn())
  await withNewFile(file, async secret => {
    const { client_secret, ...record } = await fn()
    if (typeof client_secret === 'string') await secret.write(`${client_secret}\n`)
    showSecret(session, { ...record, secret_file: file })
  })
}

export function showSecret({ out }: Session, record: Row): void {
  if (record.client_secret !== undefined) out.note('The secret is not shown again: keep it now.')
  out.result(record, recordText(record))
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds <= SECRET_OVERLAP_MAX) return seconds
  throw new InvalidArgumentError(`Write seconds, 0 to ${SECRET_OVERLAP_MAX}.`)
}
