import type { Command } from 'commander'
import { consoleLinkSchema } from '../protocol/console-session.ts'
import { holderKey } from '../protocol/holder-key.ts'
import { heldBy } from './admin-client.ts'
import { CliFailure } from './failure.ts'
import { withHeldScopes } from './held-scopes.ts'
import { generateKey } from './keys.ts'
import { readLogin } from './login-session.ts'
import { readProfile } from './profile.ts'
import { protectedClient } from './protected-client.ts'
import { openSession, type Session } from './session.ts'
import { discover, requestToken } from './token-client.ts'

const HELP = `
The link goes to standard output; no browser is opened. It works once, within a minute, and signs the browser that opens
it in as you, for 15 minutes. Open it on this machine, or through the tunnel by which you reach the admin API.`

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
  const profile = await readProfile(session)
  const { issuer, admin_url, client_id, private_jwk } = profile
  const metadata = await discover(issuer)
  const asker = { metadata, credential: { client_id, key: await holderKey(private_jwk) }, resource: `${issuer}/admin` }
  const login = await readLogin(session, profile)
  const held = login && (await heldBy(login, []))
  const post = (scope: string) =>
    protectedClient(session, { ...asker, scope, baseUrl: admin_url, held }).post('/admin/v1/console/links', {})
  const { key } = await generateKey()
  const probe = (scope: string) => {
    const parameters = { grant_type: 'client_credentials', scope, resource: asker.resource }
    return requestToken(session, metadata, asker.credential, parameters, key)
  }
  const answer = await withHeldScopes(`The client ${client_id}`, { ask: post, probe })
  const link = consoleLinkSchema.safeParse(answer)
  if (link.data?.url.includes('#code=')) return link.data
  throw new CliFailure('no_link', 'The answer with the link was lost on its way.', {
    next: 'Run "remit console" again.',
  })
}
