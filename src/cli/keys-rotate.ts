import { type Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import { SIGNING_ALGS } from '../protocol/resource.ts'
import { PUBLISH_LEAD_DEFAULT, PUBLISH_LEAD_MAX, PUBLISH_LEAD_MIN } from '../protocol/token-key.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const HELP = `
The new key is in the JWKS at once and signs when its lead has passed; the one before it stays in the JWKS for 31 minutes
more. The server does this by itself every 30 days. A key that was stolen: remit revoke key KID.`

const rotateOptions = z.object({ alg: z.enum(SIGNING_ALGS), publishLead: z.int(), dryRun: z.boolean().default(false) })

/** `remit keys rotate` */
export function addKeysRotateCommand(keys: Command): void {
  keys
    .command('rotate')
    .description('publish a new key of one algorithm, to sign when its lead has passed')
    .addOption(new Option('--alg <alg>', 'of which algorithm').choices(SIGNING_ALGS).makeOptionMandatory())
    .option(
      '--publish-lead <seconds>',
      'how long it is published before it signs, from 40 up',
      readLead,
      PUBLISH_LEAD_DEFAULT,
    )
    .option('--dry-run', 'say what would happen, and make no key')
    .addHelpText('after', HELP)
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { alg, publishLead, dryRun } = rotateOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:keys')
      const body = { alg, publish_lead: publishLead, dry_run: dryRun }
      const record = readRecord(await api.post('/admin/v1/keys/rotate', body))
      session.out.result(record, recordText(record))
    })
}

function readLead(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= PUBLISH_LEAD_MIN && seconds <= PUBLISH_LEAD_MAX) return seconds
  throw new InvalidArgumentError(`It is a number of seconds from ${PUBLISH_LEAD_MIN} to ${PUBLISH_LEAD_MAX}.`)
}
