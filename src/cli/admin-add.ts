import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../protocol/grant-types.ts'
import { parseSubjectName } from '../protocol/names.ts'
import { ADMIN_SCOPES, type AdminScope } from '../protocol/own-resources.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { scopesToActAs } from './client-path.ts'
import { wrongUsage } from './failure.ts'
import { withNewFile } from './files.ts'
import { generateKey } from './keys.ts'
import { recordText } from './output.ts'
import { type Profile, readProfile } from './profile.ts'
import { openSession } from './session.ts'

const HELP = `
Example:
  remit admin add --owner user:local:ben --profile-out ben.json
Hand the file to its owner, who administrates with it: remit agent list --profile ben.json
With --by-login the profile opens nothing by itself: people of a trusted issuer, whose record names its client, do what
they may after "remit login --token-file FILE --profile ben.json". Several people may have that file.`

const addOptions = z.object({
  owner: z.string(),
  profileOut: z.string(),
  scope: z.array(z.enum(ADMIN_SCOPES)).optional(),
  name: z.string(),
  byLogin: z.boolean().default(false),
})
const createdSchema = z.object({ client_id: z.string() })

/** `remit admin add`: another administrator, by one who is. */
export function addAdminAddCommand(admin: Command): void {
  admin
    .command('add')
    .description('make one more administrator, and the profile with its new key')
    .requiredOption('--owner <name>', 'who it is: user:local:NAME')
    .requiredOption('--profile-out <file>', 'write its profile to this new file (0600)')
    .option('--scope <scopes>', 'its admin scopes, separated by spaces (default: all that you have)', readScopes)
    .option('--by-login', 'for people who log in by a trusted issuer, and for nobody else')
    .option('--name <text>', 'name of the client that is made for it', 'remit command line')
    .addHelpText('after', HELP)
    .action(addAdministrator)
}

async function addAdministrator(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { owner, profileOut, scope, name: client_name, byLogin } = addOptions.parse(command.opts())
  if (parseSubjectName(owner)?.kind !== 'user') throw wrongUsage('The owner is written user:local:NAME.')
  const { issuer, admin_url, client_id: own } = await readProfile(session)
  const given = scope ?? (await scopesToActAs(session, own))
  const api = await adminClient(session, ...new Set<AdminScope>(['admin:clients', ...given]))
  await mkdir(dirname(profileOut), { recursive: true })
  const added = await withNewFile(profileOut, async file => {
    const { key, private_jwk } = await generateKey()
    const client = {
      client_name,
      owner,
      kind: 'operator',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.publicJwk] },
      grant_types: [byLogin ? TOKEN_EXCHANGE_GRANT : CLIENT_CREDENTIALS_GRANT],
      access: [{ resource: `${issuer}/admin`, scope: given.join(' ') }],
    }
    const { client_id } = createdSchema.parse(readRecord(await api.post('/admin/v1/clients', client)))
    const profile: Profile = { issuer, admin_url, client_id, private_jwk }
    await file.write(`${JSON.stringify(profile, null, 2)}\n`)
    return { client_id, owner, scope: given.join(' '), profile_file: profileOut }
  })
  const login = `It acts for people who log in: name ${added.client_id} among "clients" of their trusted issuer.`
  const itself = `Whoever has ${profileOut} is this administrator: give it to its owner, and keep no copy.`
  session.out.note(byLogin ? login : itself)
  session.out.result(added, recordText(added))
}

function readScopes(text: string): readonly AdminScope[] {
  const names = text.trim().split(/\s+/)
  const scopes = ADMIN_SCOPES.filter(scope => names.includes(scope))
  if (scopes.length === new Set(names).size) return scopes
  throw new InvalidArgumentError(`They are of ${ADMIN_SCOPES.join(', ')}.`)
}
