import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { parseSubjectName } from '../protocol/names.ts'
import { checkExampleFits, createExample, type Example } from './example.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readSecret, withNewFile } from './files.ts'
import { fetchJson } from './http.ts'
import { generateKey } from './keys.ts'
import { recordText } from './output.ts'
import { defaultOwner } from './owner.ts'
import { type Profile, readProfile } from './profile.ts'
import { openSession, type Session } from './session.ts'

const initOptions = z.object({
  owner: z.string(),
  name: z.string(),
  tokenFile: z.string().optional(),
  adminUrl: z
    .string()
    .transform(url => url.replace(/\/$/, ''))
    .optional(),
  example: z.boolean().default(false),
})
const bootstrappedSchema = z.object({ client_id: z.string(), issuer: z.string() })

export function addInitCommand(program: Command): void {
  program
    .command('init')
    .description('become the first administrator of a server, once, and write the profile that other commands use')
    .option('--owner <name>', 'who you are: user:local:NAME', defaultOwner())
    .option('--name <text>', 'name of the client that is made for you', 'remit command line')
    .option('--token-file <file>', 'one-time token of the server (default: bootstrap-token in the data directory)')
    .option('--admin-url <url>', 'where the admin API listens (default: by REMIT_ADMIN_URL or REMIT_ADMIN_LISTEN)')
    .option('--example', 'also make an example API and client, and print the curl lines to a first intent token')
    .action(init)
}

async function init(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const options = initOptions.parse(command.opts())
  const { profileFile, out } = session
  if (parseSubjectName(options.owner) === undefined) throw wrongUsage('The owner is written user:local:NAME.')
  const hasProfile = existsSync(profileFile)
  if (hasProfile && !options.example) {
    throw new CliFailure('profile_exists', `There is a profile at ${profileFile} already; it is not overwritten.`, {
      next: 'Use it, or name another file with --profile. Only the first administrator is made by "remit init".',
    })
  }
  const expected = hasProfile ? (await readProfile(session)).issuer : session.url
  if (options.example && expected !== undefined) checkExampleFits(expected)
  const profile = hasProfile ? {} : { profile_file: profileFile, ...(await becomeAdministrator(session, options)) }
  out.note(
    hasProfile ? `You are an administrator by ${profileFile}.` : `Your profile is ${profileFile}; keep it secret.`,
  )
  const example: Example | undefined = options.example ? await createExample(session, options.owner) : undefined
  out.result({ ...profile, ...(example && { example }) }, example ? example.curl.join('\n') : recordText(profile))
}

async function becomeAdministrator(session: Session, options: z.output<typeof initOptions>) {
  const { profileFile, dataDir, url, out } = session
  const token = await readBootstrapToken(options.tokenFile ?? join(dataDir, 'bootstrap-token'))
  const { key, private_jwk } = await generateKey()
  const admin_url = options.adminUrl ?? session.localServer().adminUrl
  await mkdir(dirname(profileFile), { recursive: true })
  return await withNewFile(profileFile, async file => {
    const request = { client_name: options.name, owner: options.owner, jwks: { keys: [key.publicJwk] } }
    // The server says who it is: this listener is not the issuer, and the token opens once.
    const { client_id, issuer } = await bootstrap(admin_url, token, request)
    const profile: Profile = { issuer, admin_url, client_id, private_jwk }
    await file.write(`${JSON.stringify(profile, null, 2)}\n`)
    if (url !== undefined && url !== issuer) {
      out.note(`The server calls itself ${issuer}, not ${url}: the profile has the server's name.`)
    }
    return { issuer, admin_url, client_id }
  })
}

async function bootstrap(admin_url: string, token: string, request: object) {
  try {
    const { body } = await fetchJson(`${admin_url}/admin/v1/bootstrap`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(request),
    })
    return bootstrappedSchema.parse(body)
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    const { code, message, details } = error
    throw new CliFailure(code, `The admin API at ${admin_url}: ${message}`, {
      ...details,
      next: NEXT[code] ?? details.next,
    })
  }
}

const NEXT: Readonly<Record<string, string>> = {
  unreachable: 'Start the server with "npm start", or say where its admin API listens with --admin-url.',
  unexpected_answer: 'Say where the admin API of the server listens with --admin-url.',
  unauthorized: 'Name the file that the server reads (0600, at least 22 characters) with --token-file.',
  conflict:
    'Use the profile of the first administrator (--profile), or name the server that you mean with --admin-url.',
}

async function readBootstrapToken(path: string): Promise<string> {
  if (existsSync(path)) return await readSecret(path)
  throw new CliFailure('no_bootstrap_token', `There is no one-time token at ${path}.`, {
    next: 'Start the server first ("npm start"); in development it writes the file while there is no administrator. Name another place with --token-file or --data-dir.',
  })
}
