import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { destination, pino } from 'pino'
import { z } from 'zod'
import { parseSubjectName } from '../protocol/names.ts'
import { addAdminAddCommand } from './admin-add.ts'
import { startFailure, wrongUsage } from './failure.ts'
import { withNewFile } from './files.ts'
import { generateKey } from './keys.ts'
import { recordText } from './output.ts'
import { defaultOwner } from './owner.ts'
import type { Profile } from './profile.ts'
import { openSession, type Session } from './session.ts'

const recoverOptions = z.object({
  owner: z.string(),
  witness: z.string().optional(),
  name: z.string(),
  revokeOthers: z.boolean().default(false),
})
type RecoverOptions = z.output<typeof recoverOptions>

const HELP = `
It works on the host of a server, with its environment: database and key-encryption key prove that you may. A new profile
is written (--profile, default cli.json in the data directory; an existing one is not overwritten). The trail keeps who
did it and who watched.`

export function addAdminCommand(program: Command): void {
  const admin = program.command('admin').description('the administrators themselves')
  addAdminAddCommand(admin)
  admin
    .command('recover')
    .description('make a new administrator when the key of the last one is lost, on the host of the server')
    .option('--owner <name>', 'who you are: user:local:NAME', defaultOwner())
    .option('--witness <name>', 'the second person who sees it done: user:local:NAME (required in production)')
    .option('--name <text>', 'name of the client that is made for you', 'remit command line, recovered')
    .option('--revoke-others', 'revoke every other client that has an admin scope, for good')
    .addHelpText('after', HELP)
    .action(recover)
}

async function recover(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const options = recoverOptions.parse(command.opts())
  for (const name of [options.owner, options.witness ?? options.owner]) {
    if (parseSubjectName(name) === undefined) throw wrongUsage('Owner and witness are written user:local:NAME.')
  }
  const { loadConfig, readEnvironment } = await import('../server/config.ts')
  const config = loadConfig(readEnvironment())
  if (config.production && options.witness === undefined) {
    throw wrongUsage('In production two people recover the administration: name the second with --witness.')
  }
  if (options.witness === options.owner) throw wrongUsage('The witness is somebody else than the owner.')
  const { profileFile, out } = session
  await mkdir(dirname(profileFile), { recursive: true })
  const done = await withNewFile(profileFile, async file => {
    const { key, private_jwk } = await generateKey()
    const { client_id, revoked } = await administrator(session, config, options, key.publicJwk)
    const profile: Profile = { issuer: config.issuer, admin_url: config.adminUrl, client_id, private_jwk }
    await file.write(`${JSON.stringify(profile, null, 2)}\n`)
    return { client_id, revoked, profile_file: profileFile }
  })
  if (!options.revokeOthers)
    out.note('The administrators before you still are: see "remit client list", "remit revoke".')
  out.result(done, recordText(done))
}

async function administrator(
  session: Session,
  config: import('../server/config.ts').Config,
  { owner, witness, name, revokeOthers }: RecoverOptions,
  publicJwk: object,
) {
  const { withContext } = await import('../server/offline.ts')
  const { recoverAdministrator } = await import('../server/registry/recovery.ts')
  const log = pino({ level: 'warn' }, destination(2))
  try {
    return await withContext(config, log, ctx => {
      const recovery = { client_name: name, owner, jwks: { keys: [publicJwk] }, revoke_others: revokeOthers }
      return recoverAdministrator(ctx, { ...recovery, ...(witness !== undefined && { witness }) })
    })
  } catch (error) {
    session.out.note('Nothing was changed.')
    throw startFailure(error)
  }
}
