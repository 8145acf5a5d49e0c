import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { isJsonObject } from '../protocol/json.ts'
import { collectAccess } from './access-option.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { clientPath, scopesToActAs, scopesToGive } from './client-path.ts'
import { wrongUsage } from './failure.ts'
import { readObject } from './files.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const HELP = `
FILE holds the members to change, in JSON or YAML; those left out stay, and of "policies" those left out:
  owner: user:local:bob
  policies: { require_approval: true }
--access takes the place of the whole access; --policy changes one policy and may be given several times.`

const updateOptions = z.object({
  name: z.string().optional(),
  owner: z.string().optional(),
  access: z.array(z.unknown()).optional(),
  policy: z.record(z.string(), z.unknown()).optional(),
})

export function addClientUpdateCommand(client: Command): void {
  client
    .command('update')
    .description('change a client; acts at its next request')
    .argument('<client_id>')
    .argument('[file]', 'JSON or YAML file of the members to change, "-" for standard input')
    .option('--name <client_name>', 'its name for people')
    .option('--owner <owner>', 'who answers for it, as user:local:anna')
    .option('--access <resource scope>', 'a resource and its scopes, "https://api.example.test read"', collectAccess)
    .option('--policy <name=value>', 'one policy', collectPolicy)
    .addHelpText('after', HELP)
    .action(updateClient)
}

async function updateClient(
  client_id: string,
  file: string | undefined,
  _options: unknown,
  command: Command,
): Promise<void> {
  const session = openSession(command)
  const { name, owner, access, policy } = updateOptions.parse(command.opts())
  const { policies, ...members } = file === undefined ? {} : await readObject(file)
  const body = {
    ...members,
    ...(name !== undefined && { client_name: name }),
    ...(owner !== undefined && { owner }),
    ...(access !== undefined && { access }),
    ...((policies !== undefined || policy !== undefined) && {
      policies: { ...(isJsonObject(policies) ? policies : {}), ...policy },
    }),
  }
  if (Object.keys(body).length === 0)
    throw wrongUsage('Name what to change: a FILE, --name, --owner, --access or --policy.')
  // Keys, and policies that get weaker, are changed with the scopes of the client itself.
  const actsAs = 'jwks' in body || 'jwks_uri' in body || 'policies' in body
  const given = await scopesToGive(session, body.access, client_id)
  const scopes = actsAs ? [...given, ...(await scopesToActAs(session, client_id))] : given
  const api = await adminClient(session, ...new Set(scopes))
  const record = readRecord(await api.patch(clientPath(client_id), body))
  session.out.result(record, recordText(record))
}

/** Reads one `--policy name=value`: true, false and whole numbers as what they are, anything else as text. */
function collectPolicy(text: string, earlier: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const [, name, value] = /^([a-z_]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Write it as "require_approval=true".')
  return { ...earlier, [name]: /^(true|false|\d+)$/.test(value) ? JSON.parse(value) : value }
}
