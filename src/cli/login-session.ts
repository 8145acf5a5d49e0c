import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { z } from 'zod'
import { epochSeconds } from '../protocol/time.ts'
import { CliFailure } from './failure.ts'
import { readObject, withNewFile } from './files.ts'
import type { Profile } from './profile.ts'
import type { Session } from './session.ts'

const loginSchema = z.strictObject({
  issuer: z.string(),
  client_id: z.string(),
  /** Who it is: user:<name of the trusted issuer>:<sub>. */
  sub: z.string(),
  scope: z.string(),
  access_token: z.string(),
  /** The key that the token is bound to. */
  private_jwk: z.record(z.string(), z.json()),
  /** Epoch seconds. */
  expires_at: z.int(),
})
/** A person who logged in beside a profile: a short admin token and its key. */
export type Login = z.output<typeof loginSchema>

/** Where it is kept: a file of its own, so that nobody rewrites the profile with its key. */
export function loginFile({ profileFile }: Pick<Session, 'profileFile'>): string {
  return `${profileFile}.login`
}

/**
 * Who is logged in beside this profile; undefined where nobody is. One that has ended is removed, and said to have: the
 * command goes on as the client of the profile. Throws CliFailure.
 */
export async function readLogin(session: Session, profile: Profile): Promise<Login | undefined> {
  const file = loginFile(session)
  if (!existsSync(file)) return undefined
  const login = loginSchema.safeParse(await readObject(file)).data
  if (!login) {
    throw new CliFailure('login_malformed', `The file ${file} is not one of "remit login".`, {
      next: 'Run "remit logout", and log in again.',
    })
  }
  const { issuer, client_id } = profile
  if (login.issuer !== issuer || login.client_id !== client_id) return undefined
  if (login.expires_at > epochSeconds(session.now())) return login
  await rm(file, { force: true })
  session.out.note(`Your login as ${login.sub} has ended: this runs as the client ${client_id}.`)
  return undefined
}

/** Keeps a login in place of an earlier one, readable by its owner alone. Throws CliFailure. */
export async function keepLogin(session: Session, login: Login): Promise<void> {
  const file = loginFile(session)
  const beside = `${file}.new`
  await rm(beside, { force: true })
  await withNewFile(beside, async made => await made.write(`${JSON.stringify(login, null, 2)}\n`))
  await rename(beside, file)
}

/** @returns the login that is no more, where there was one that can be read */
export async function dropLogin(session: Session): Promise<Login | undefined> {
  const file = loginFile(session)
  if (!existsSync(file)) return undefined
  const login = await readObject(file).catch(() => undefined)
  await rm(file, { force: true })
  return loginSchema.safeParse(login).data
}
