import { z } from 'zod'
import { holderKey } from '../protocol/holder-key.ts'
import type { AdminScope } from '../protocol/own-resources.ts'
import { CliFailure } from './failure.ts'
import { type Login, readLogin } from './login-session.ts'
import { readProfile } from './profile.ts'
import { type ProtectedClient, protectedClient } from './protected-client.ts'
import type { Session } from './session.ts'
import { discover } from './token-client.ts'

const recordSchema = z.record(z.string(), z.unknown())
export type Row = z.output<typeof recordSchema>
const pageSchema = z.object({ items: z.array(recordSchema), next_cursor: z.string().nullish() })

/**
 * The admin API for one command, with the scopes it needs: as whoever is logged in, else as the administrator of the
 * profile. Throws CliFailure.
 */
export async function adminClient(session: Session, ...scopes: readonly AdminScope[]): Promise<ProtectedClient> {
  const profile = await readProfile(session)
  const { issuer, admin_url, client_id, private_jwk } = profile
  const login = await readLogin(session, profile)
  const held = login && (await heldBy(login, scopes))
  const metadata = await discover(issuer)
  const credential = { client_id, key: await holderKey(private_jwk) }
  const resource = `${issuer}/admin`
  return protectedClient(session, { metadata, credential, resource, scope: scopes.join(' '), baseUrl: admin_url, held })
}

/** What a login may do was settled then. Throws CliFailure. */
export async function heldBy({ access_token, private_jwk, scope, sub }: Login, scopes: readonly AdminScope[]) {
  const missing = scopes.filter(name => !scope.split(' ').includes(name))
  if (missing.length === 0) return { access_token, key: await holderKey(private_jwk) }
  throw new CliFailure('insufficient_scope', `The login of ${sub} has not the scope ${missing.join(' ')}.`, {
    next: 'Run "remit logout" to act as the client of the profile, or log in as somebody who has it.',
  })
}

/** One record of the admin API. */
export function readRecord(body: unknown): Row {
  const record = recordSchema.safeParse(body)
  if (record.success) return record.data
  throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
}

/** All rows of a list, page by page. */
export async function listAll(
  api: ProtectedClient,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor: string | undefined; ; ) {
    const page = readPage(await api.get(path, { ...query, ...(cursor !== undefined && { cursor }) }))
    rows.push(...page.items)
    if (!page.next_cursor || page.items.length === 0) return rows
    cursor = page.next_cursor
  }
}

export function readPage(body: unknown): z.output<typeof pageSchema> {
  const page = pageSchema.safeParse(body)
  if (page.success) return page.data
  throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
}
