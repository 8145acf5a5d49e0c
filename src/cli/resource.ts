import { type Command, Option } from 'commander'
import { z } from 'zod'
import { TOKEN_LIFETIME_DEFAULT } from '../protocol/time.ts'
import { adminClient, listAll, readPage, readRecord } from './admin-client.ts'
import { readObject } from './files.ts'
import { recordText, tableText } from './output.ts'
import { addResourceChangeCommands } from './resource-change.ts'
import { openSession } from './session.ts'

const COLUMNS = ['resource', 'token_profile', 'signing_alg', 'max_token_lifetime', 'allow_bearer', 'status']
const STATES = ['active', 'revoked', 'deleted']
const listOptions = z.object({ status: z.string().optional() })

const EXAMPLE = `
FILE holds the resource, in JSON or YAML. Only the first two members are needed; the others stand here with their
defaults, but for the marks and client_id:
  resource: https://api.example.test
  scopes:
    - { name: read }
    - { name: write, workflow: true }   # minted only for a step of a recorded workflow
    - { name: pay, approval: true }     # minted only with a person's approval
  token_profile: interop                # or draft: the claims of the Agentic JWT draft
  signing_alg: ES256                    # or EdDSA, PS256, RS256
  max_token_lifetime: ${TOKEN_LIFETIME_DEFAULT}
  allow_bearer: false                   # true: also tokens that are bound to no key
  chain_disclosure: actors              # or hash, proofs: how much of a delegation its tokens show
  workflow_names: plain                 # or pairwise: an opaque name of its own instead of workflow_id
  client_id: api-example                # the client as which this API asks about tokens`

export function addResourceCommand(program: Command): void {
  const resource = program.command('resource').description('the APIs that tokens are made for')
  resource
    .command('create')
    .description('create a resource')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addHelpText('after', EXAMPLE)
    .action(async (file: string, _options, command: Command) => {
      const session = openSession(command)
      const body = await readObject(file)
      const api = await adminClient(session, 'admin:resources')
      const record = readRecord(await api.post('/admin/v1/resources', body))
      session.out.result(record, recordText(record))
    })
  resource
    .command('list')
    .description('list the resources; deleted ones only with --status deleted')
    .addOption(new Option('--status <status>', 'only those in this state').choices(STATES))
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { status } = listOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:resources')
      const rows = await listAll(api, '/admin/v1/resources', status === undefined ? {} : { status })
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  resource
    .command('show')
    .description('show one resource')
    .argument('<resource>', 'its URI')
    .action(async (uri: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'admin:resources')
      const [item] = readPage(await api.get('/admin/v1/resources', { resource: uri })).items
      const record = readRecord(item)
      session.out.result(record, recordText(record))
    })
  addResourceChangeCommands(resource)
}
