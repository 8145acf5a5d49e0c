import { type Command, Option } from 'commander'
import { z } from 'zod'
import type { HolderKey } from '../protocol/sign.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { scopesToGive } from './client-path.ts'
import { showSecret, withSecretFile } from './client-secret.ts'
import { readObject } from './files.ts'
import { withNewKeyFile } from './keys.ts'
import { openSession } from './session.ts'

const EXAMPLE = `
FILE holds the client, in JSON or YAML, for example:
  client_id: notes-app
  client_name: Notes
  owner: user:local:anna
  kind: app
  token_endpoint_auth_method: client_secret_basic
  grant_types: [client_credentials, agent_checksum]
  access:
    - { resource: "http://127.0.0.1:4000", scope: "register:intent register:workflow generate:intent-token" }
    - { resource: "https://api.example.test", scope: read write }
The first resource is the issuer itself: without it the client registers no agent. Others are made with "remit resource
create". In production it also needs "policies: { require_approval: true }". A second administrator is made by "remit admin add".`

const createOptions = z.object({ generateKey: z.string().optional(), secretFile: z.string().optional() })

export function addClientCreateCommand(client: Command): void {
  client
    .command('create')
    .description('create a client; its secret is shown this once')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addOption(
      new Option(
        '--generate-key <file>',
        'make a P-256 key in this new file (0600), its public half for the client',
      ).conflicts('secretFile'),
    )
    .option('--secret-file <file>', 'write the secret to this new file (0600) instead of showing it')
    .addHelpText('after', EXAMPLE)
    .action(createClient)
}

async function createClient(file: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { generateKey, secretFile } = createOptions.parse(command.opts())
  const body = await readObject(file)
  const api = await adminClient(session, ...(await scopesToGive(session, body.access)))
  const create = async (key?: HolderKey) =>
    readRecord(await api.post('/admin/v1/clients', { ...body, ...(key && { jwks: { keys: [key.publicJwk] } }) }))
  if (generateKey !== undefined) return showSecret(session, await withNewKeyFile(generateKey, create))
  await withSecretFile(session, secretFile, create)
}
