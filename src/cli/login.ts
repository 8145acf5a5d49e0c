import type { Command } from 'commander'
import { z } from 'zod'
import { holderKey } from '../protocol/holder-key.ts'
import { epochSeconds } from '../protocol/time.ts'
import { readObject, readSecret } from './files.ts'
import { withHeldScopes } from './held-scopes.ts'
import { fetchJson } from './http.ts'
import { generateKey } from './keys.ts'
import { dropLogin, keepLogin, type Login } from './login-session.ts'
import { recordText } from './output.ts'
import { type Profile, readProfile } from './profile.ts'
import { openSession, type Session } from './session.ts'
import { authenticate, discover, exchangeOf, requestToken, type TokenAnswer } from './token-client.ts'
import { decodeToken } from './token-decode.ts'

const HELP = `
FILE holds a token by which your identity provider says who you are: an ID token, or an access token that is a JWT. It is
exchanged for a token of at most 5 minutes, which is kept beside the profile (0600). Until it ends, the commands of this
profile are yours; "remit logout" ends it before.`

const loginOptions = z.object({ tokenFile: z.string(), scope: z.string().optional(), key: z.string().optional() })

/** `remit login` and `remit logout`: a person of a trusted issuer administrates (protocol.md section 6). */
export function addLoginCommands(program: Command): void {
  program
    .command('login')
    .description('administrate as a person of a trusted issuer, for some minutes')
    .requiredOption('--token-file <file>', 'your token of the trusted issuer ("-": standard input)')
    .option('--scope <scopes>', 'admin scopes, separated by spaces (default: all that you can have)')
    .option('--key <file>', 'private JWK that the token is bound to, where it has cnf (default: a new key)')
    .addHelpText('after', HELP)
    .action(login)
  program
    .command('logout')
    .description('end "remit login" before its time')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const profile = await readProfile(session)
      const ended = await dropLogin(session)
      if (ended && ended.expires_at > epochSeconds(session.now())) await revoke(session, profile, ended)
      session.out.note(ended ? `You are ${ended.sub} no more.` : 'Nobody was logged in.')
      session.out.result({ sub: ended?.sub ?? null }, recordText({ sub: ended?.sub ?? null }))
    })
}

async function login(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { tokenFile, scope, key: keyFile } = loginOptions.parse(command.opts())
  const profile = await readProfile(session)
  const { issuer, client_id } = profile
  const token = await readSecret(tokenFile)
  const private_jwk = keyFile === undefined ? (await generateKey()).private_jwk : await readObject(keyFile)
  const key = await holderKey(private_jwk)
  const metadata = await discover(issuer)
  const credential = { client_id, key: await holderKey(profile.private_jwk) }
  const ask = async (scope: string): Promise<TokenAnswer> => {
    const parameters = { ...exchangeOf(token), scope, resource: `${issuer}/admin` }
    return await requestToken(session, metadata, credential, parameters, key)
  }
  const now = epochSeconds(session.now())
  const answer = await (scope === undefined ? withHeldScopes('This person', { ask, probe: ask }) : ask(scope))
  const { access_token, expires_in } = answer
  const { sub } = decodeToken(access_token).payload
  const made: Login = {
    ...{ issuer, client_id, sub: String(sub), scope: answer.scope, access_token, private_jwk },
    expires_at: now + expires_in,
  }
  await keepLogin(session, made)
  session.out.note(`You are ${made.sub} for ${expires_in} seconds; then log in again.`)
  const shown = { sub: made.sub, scope: made.scope, expires_in, expires_at: new Date(made.expires_at * 1000) }
  session.out.result(shown, recordText({ ...shown, expires_at: shown.expires_at.toISOString() }))
}

/** RFC 7009; where the server cannot be reached, the token ends by itself within minutes. */
async function revoke(session: Session, profile: Profile, { access_token }: Login): Promise<void> {
  try {
    const metadata = await discover(profile.issuer)
    const credential = { client_id: profile.client_id, key: await holderKey(profile.private_jwk) }
    const { headers, body } = await authenticate(session, profile.issuer, credential)
    const form = new URLSearchParams({ ...body, token: access_token })
    await fetchJson(metadata.revocation_endpoint, { method: 'POST', headers, body: form })
  } catch {
    session.out.note('The server could not be told; the token ends by itself within 5 minutes.')
  }
}
