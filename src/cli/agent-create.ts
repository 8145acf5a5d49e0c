import { type Command, Option } from 'commander'
import { z } from 'zod'
import { accessSchema } from '../protocol/access.ts'
import { batchAnswerSchema } from '../protocol/agent.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { collectAccess } from './access-option.ts'
import { type Row, readRecord } from './admin-client.ts'
import { addVersionOptions, FILE_HELP, readComponents, versionOptions } from './agent-components.ts'
import { addCredentialOptions, addForeignTokenOption, readCredential, readForeignToken } from './credential.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readKeyFile, withNewKeyFile } from './keys.ts'
import { recordText, tableText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'

const COLUMNS = ['agent_id', 'status', 'version', 'registration_id', 'checksum']
const PENDING = 'It is pending: an administrator runs "remit agent approve".'

const createOptions = versionOptions.extend({
  generateKey: z.string().optional(),
  key: z.string().optional(),
  access: accessSchema.optional(),
  outsideWorkflow: z.boolean().default(false),
})
type CreateOptions = z.output<typeof createOptions>

/** `remit agent create`: one agent, or several at once, all or none. */
export function addAgentCreateCommand(agent: Command): void {
  addVersionOptions(addForeignTokenOption(addCredentialOptions(agent.command('create'))))
    .description('register an agent, or a new version of it; several files: all of them or none')
    .argument('<file...>', 'JSON or YAML file, "-" for standard input')
    .addOption(
      new Option(
        '--generate-key <file>',
        'make a P-256 key in this new file (0600) and register its public half',
      ).conflicts('key'),
    )
    .option('--key <file>', 'register the public half of this private JWK')
    .option('--access <pair>', 'what the agent may ask for, "RESOURCE SCOPE…"; several times', collectAccess)
    .option('--outside-workflow', 'let it ask without a workflow while one assigns it a step')
    .addHelpText('after', FILE_HELP)
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = createOptions.parse(command.opts())
      const [file, ...others] = files
      if (file !== undefined && others.length === 0) await createOne(command, file, options)
      else await createSeveral(command, files, options)
    })
}

async function createOne(command: Command, file: string, options: CreateOptions): Promise<void> {
  const session = openSession(command)
  const parts = await readComponents(file, options.checksumProfile)
  const { client_id, api } = await open(session, command)
  const { key, generateKey } = options
  const register = async (holder?: HolderKey) =>
    await api.post('/intent/register/agent', {
      ...requestOf(client_id, parts, options),
      ...(holder && { public_key: holder.publicJwk }),
    })
  const registered = await (generateKey === undefined
    ? register(key === undefined ? undefined : await readKeyFile(key))
    : withNewKeyFile(generateKey, register))
  const record = readRecord(registered)
  if (options.access === undefined && record.version === 1) session.out.note(noAccess(client_id, [record]))
  if (record.status === 'pending') session.out.note(PENDING)
  session.out.result(record, recordText(record))
}

async function createSeveral(command: Command, files: readonly string[], options: CreateOptions): Promise<void> {
  if (options.key !== undefined || options.generateKey !== undefined) {
    throw wrongUsage('A key serves one agent: give --key or --generate-key with one file.')
  }
  const session = openSession(command)
  const parts = await Promise.all(files.map(file => readComponents(file, options.checksumProfile)))
  const { client_id, api } = await open(session, command)
  const registration_requests = parts.map(part => requestOf(client_id, part, options))
  const answer = batchAnswerSchema.safeParse(await api.post('/intent/batch_register/agent', { registration_requests }))
  if (!answer.success) {
    throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
  }
  const { registrations } = answer.data
  const first = registrations.filter(made => made.version === 1)
  if (options.access === undefined && first.length > 0) session.out.note(noAccess(client_id, first))
  if (registrations.some(made => made.status === 'pending')) session.out.note(PENDING)
  session.out.result(registrations, tableText(COLUMNS, registrations))
}

async function open(session: Session, command: Command) {
  const credential = await readCredential(command)
  const api = await registrationClient(session, credential, 'register:intent', await readForeignToken(command))
  return { client_id: credential.client_id, api }
}

/** The same content is no second version while the first one lives: to give it access, that one ends before. */
function noAccess(client_id: string, first: readonly Row[]): string {
  const [only, ...others] = first
  const { agent_id = 'AGENT', registration_id = 'REG', status } = (others.length === 0 && only) || {}
  const end =
    status === 'pending'
      ? `remit agent reject ${client_id} ${agent_id} --reason "..."`
      : `remit agent retire ${client_id} ${agent_id} --registration ${registration_id}`
  return [
    'Without --access it may ask for nothing, unless the client has policy "default_grant: client".',
    `To give it some with the same content: ${end}, then this command again with --access`,
    '(and --key in place of --generate-key).',
  ].join(' ')
}

function requestOf(app_id: string, agent_components: unknown, options: CreateOptions): object {
  const { access, outsideWorkflow, drain, checksumProfile } = options
  return {
    app_id,
    agent_components,
    ...(checksumProfile !== 'jcs' && { checksum_profile: checksumProfile }),
    ...(drain !== undefined && { drain_seconds: drain }),
    ...(access && { grant: { access, outside_workflow: outsideWorkflow } }),
  }
}
