import type { Command } from 'commander'
import { batchAnswerSchema } from '../protocol/agent.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { type Row, readRecord } from './admin-client.ts'
import { FILE_HELP, readComponents } from './agent-components.ts'
import {
  addRegistrationOptions,
  appOf,
  type RegistrationOptions,
  registrationBody,
  registrationOptions,
} from './agent-registration.ts'
import { readCredential, readForeignToken } from './credential.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readKeyFile, withNewKeyFile } from './keys.ts'
import { recordText, tableText } from './output.ts'
import type { ProtectedClient } from './protected-client.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'

const COLUMNS = ['agent_id', 'status', 'version', 'registration_id', 'checksum']
const PENDING = 'It is pending: an administrator runs "remit agent approve".'
const GENERATE_KEY = 'make a P-256 key in this new file (0600) and register its public half'

/** `remit agent create`: one agent, or several at once, all or none. */
export function addAgentCreateCommand(agent: Command): void {
  addRegistrationOptions(agent.command('create'), GENERATE_KEY)
    .description('register an agent, or a new version of it; several files: all of them or none')
    .argument('<file...>', 'JSON or YAML file, "-" for standard input')
    .addHelpText('after', FILE_HELP)
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = registrationOptions.parse(command.opts())
      const [file, ...others] = files
      if (file !== undefined && others.length === 0) await createOne(command, file, options)
      else await createSeveral(command, files, options)
    })
}

async function createOne(command: Command, file: string, options: RegistrationOptions): Promise<void> {
  const session = openSession(command)
  const parts = await readComponents(file, options.checksumProfile)
  const api = await open(session, command)
  const { key, generateKey } = options
  const register = async (holder?: HolderKey) =>
    await api.post('/intent/register/agent', registrationBody(parts, options, holder))
  const registered = await (generateKey === undefined
    ? register(key === undefined ? undefined : await readKeyFile(key))
    : withNewKeyFile(generateKey, register))
  const record = readRecord(registered)
  if (options.access === undefined && record.version === 1) session.out.note(noAccess(appOf(options), [record]))
  if (record.status === 'pending') session.out.note(PENDING)
  session.out.result(record, recordText(record))
}

async function createSeveral(command: Command, files: readonly string[], options: RegistrationOptions): Promise<void> {
  if (options.key !== undefined || options.generateKey !== undefined) {
    throw wrongUsage('A key serves one agent: give --key or --generate-key with one file.')
  }
  const session = openSession(command)
  const parts = await Promise.all(files.map(file => readComponents(file, options.checksumProfile)))
  const api = await open(session, command)
  const registration_requests = parts.map(part => registrationBody(part, options))
  const answer = batchAnswerSchema.safeParse(await api.post('/intent/batch_register/agent', { registration_requests }))
  if (!answer.success) {
    throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
  }
  const { registrations } = answer.data
  const first = registrations.filter(made => made.version === 1)
  if (options.access === undefined && first.length > 0) session.out.note(noAccess(appOf(options), first))
  if (registrations.some(made => made.status === 'pending')) session.out.note(PENDING)
  session.out.result(registrations, tableText(COLUMNS, registrations))
}

async function open(session: Session, command: Command): Promise<ProtectedClient> {
  const credential = await readCredential(command)
  return await registrationClient(session, credential, 'register:intent', await readForeignToken(command))
}

/** The same content is no second version while the first one lives: one that waits ends before, one that counts is given it. */
function noAccess(client_id: string, first: readonly Row[]): string {
  const [only, ...others] = first
  const { agent_id = 'AGENT', status } = (others.length === 0 && only) || {}
  const nothing = 'Without --access it may ask for nothing, unless the client has policy "default_grant: client".'
  if (status !== 'pending') {
    const grant = `remit agent grant ${client_id} ${agent_id} --access "RESOURCE SCOPES"`
    return `${nothing} An administrator of another owner than the client's gives it some: ${grant}`
  }
  const again = 'then this command again with --access (and --key in place of --generate-key).'
  return `${nothing} To give it some: remit agent reject ${client_id} ${agent_id} --reason "...", ${again}`
}
