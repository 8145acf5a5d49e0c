import { type Command, Option } from 'commander'
import { z } from 'zod'
import { accessSchema } from '../protocol/access.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { collectAccess } from './access-option.ts'
import { adminClient, listAll, readRecord } from './admin-client.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { readObject } from './files.ts'
import { readKeyFile, withNewKeyFile } from './keys.ts'
import { recordText, tableText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession } from './session.ts'

const COLUMNS = ['agent_id', 'status', 'version', 'registration_id', 'checksum']
const EXAMPLE = `
FILE holds the parts of the agent, in JSON or YAML, for example:
  agent_id: hello
  prompt_template: Say hello to {name}.
  tools: [{ name: greet, description: Greets one person, parameters: { type: object } }]`

const NO_ACCESS =
  'Without --access it may ask for nothing yet, unless the client has policy "default_grant: client": give --access with its next version.'

const createOptions = z.object({
  generateKey: z.string().optional(),
  key: z.string().optional(),
  access: accessSchema.optional(),
  outsideWorkflow: z.boolean().default(false),
})
const approveOptions = z.object({ registration: z.string(), checksum: z.string() })

export function addAgentCommand(program: Command): void {
  const agent = program.command('agent').description('the agents of a client and their versions')
  addCredentialOptions(agent.command('create'))
    .description('register an agent, or a new version of it')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addOption(
      new Option(
        '--generate-key <file>',
        'make a P-256 key in this new file (0600) and register its public half',
      ).conflicts('key'),
    )
    .option('--key <file>', 'register the public half of this private JWK')
    .option('--access <pair>', 'what the agent may ask for, "RESOURCE SCOPE…"; several times', collectAccess)
    .option('--outside-workflow', 'let it ask without a workflow while one assigns it a step')
    .addHelpText('after', EXAMPLE)
    .action(createAgent)
  agent
    .command('list')
    .description('list the agents of a client')
    .argument('<client_id>')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const rows = await listAll(api, `/admin/v1/agents/${encodeURIComponent(client_id)}`)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  agent
    .command('show')
    .description('show one agent with its versions')
    .argument('<client_id>')
    .argument('<agent_id>')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const record = readRecord(await api.get(agentPath(client_id, agent_id)))
      session.out.result(record, recordText(record))
    })
  agent
    .command('approve')
    .description('let one pending version mint; bound to its content')
    .argument('<client_id>')
    .argument('<agent_id>')
    .requiredOption('--registration <id>', 'registration_id of the version')
    .requiredOption('--checksum <hex>', 'its checksum, as "agent show" prints it')
    .action(async (client_id: string, agent_id: string, _options, command: Command) => {
      const session = openSession(command)
      const { registration, checksum } = approveOptions.parse(command.opts())
      const api = await adminClient(session, 'approve:agents')
      const body = { registration_id: registration, checksum }
      const record = readRecord(await api.post(`${agentPath(client_id, agent_id)}/approve`, body))
      session.out.result(record, recordText(record))
    })
}

async function createAgent(file: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { generateKey, key, access, outsideWorkflow } = createOptions.parse(command.opts())
  const agent_components = await readObject(file)
  const credential = await readCredential(command)
  const api = await registrationClient(session, credential, 'register:intent')
  const register = async (holder?: HolderKey) =>
    await api.post('/intent/register/agent', {
      app_id: credential.client_id,
      agent_components,
      ...(holder && { public_key: holder.publicJwk }),
      ...(access && { grant: { access, outside_workflow: outsideWorkflow } }),
    })
  const registered = await (generateKey === undefined
    ? register(key === undefined ? undefined : await readKeyFile(key))
    : withNewKeyFile(generateKey, register))
  const record = readRecord(registered)
  if (access === undefined && record.version === 1) session.out.note(NO_ACCESS)
  if (record.status === 'pending') session.out.note('It is pending: an administrator runs "remit agent approve".')
  session.out.result(record, recordText(record))
}

function agentPath(client_id: string, agent_id: string): string {
  return `/admin/v1/agents/${encodeURIComponent(client_id)}/${encodeURIComponent(agent_id)}`
}
