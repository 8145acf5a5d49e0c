import type { Command } from 'commander'
import { consoleLinkSchema } from '../protocol/console-session.ts'
import type { ServerMetadata } from '../protocol/metadata.ts'
import { ADMIN_SCOPES } from '../protocol/own-resources.ts'
import { CliFailure } from './failure.ts'
import { generateKey, holderKey } from './keys.ts'
import { readProfile } from './profile.ts'
import { protectedClient } from './protected-client.ts'
import { openSession, type Session } from './session.ts'
import { type ClientCredential, discover, requestToken } from './token-client.ts'

const HELP = `
The link goes to standard output; no browser is opened. It works once, within a minute, and signs the browser that opens
it in as you, for 15 minutes. Open it on this machine, or through the tunnel by which you reach the admin API.`

type Asker = { readonly metadata: ServerMetadata; readonly credential: ClientCredential; readonly resource: string }

export function addConsoleCommand(program: Command): void {
  program
    .command('console')
    .description('get a link that signs a browser in to the console')
    .addHelpText('after', HELP)
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const link = await requestLink(session)
      session.out.note('Open this link in a browser: it works once, within a minute, and the session lasts 15 minutes.')
      session.out.result(link, link.url)
    })
}

async function requestLink(session: Session) {
  const { issuer, admin_url, client_id, private_jwk } = await readProfile(session)
  const metadata = await discover(issuer)
  const asker = { metadata, credential: { client_id, key: await holderKey(private_jwk) }, resource: `${issuer}/admin` }
  const post = (scope: string) =>
    protectedClient(session, { ...asker, scope, baseUrl: admin_url }).post('/admin/v1/console/links', {})
  const answer = await post(ADMIN_SCOPES.join(' ')).catch(async error => {
    // More than the client has is refused, never narrowed.
    if (!isRefusedScope(error)) throw error
    return await post(await heldScopes(session, asker))
  })
  const link = consoleLinkSchema.safeParse(answer)
  if (link.data?.url.includes('#code=')) return link.data
  throw new CliFailure('no_link', 'The answer with the link was lost on its way.', {
    next: 'Run "remit console" again.',
  })
}

/** Which admin scopes the client of the profile has, asked for one by one. Throws CliFailure where there is none. */
async function heldScopes(session: Session, { metadata, credential, resource }: Asker): Promise<string> {
  const { key } = await generateKey()
  const held: string[] = []
  for (const scope of ADMIN_SCOPES) {
    const parameters = { grant_type: 'client_credentials', scope, resource }
    const isHeld = await requestToken(session, metadata, credential, parameters, key).then(
      () => true,
      error => {
        if (isRefusedScope(error)) return false
        throw error
      },
    )
    if (isHeld) held.push(scope)
  }
  if (held.length > 0) return held.join(' ')
  throw new CliFailure('invalid_scope', `The client ${credential.client_id} has no scope of the admin API.`, {
    next: 'Use the profile of an administrator.',
  })
}

function isRefusedScope(error: unknown): boolean {
  return error instanceof CliFailure && /^invalid_(scope|target)$/.test(error.code)
}
